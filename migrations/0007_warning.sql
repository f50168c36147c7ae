-- What is wrong with a recording although its job goes on; of jobs before this column it was only in the workers' log.
ALTER TABLE jobs ADD COLUMN warning text;
