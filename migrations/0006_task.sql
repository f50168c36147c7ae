-- What the text is to be: jobs before this column could only be transcribed.
ALTER TABLE jobs ADD COLUMN task text NOT NULL DEFAULT 'transcribe';
