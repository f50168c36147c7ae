#include "ytcaption-whisper/native/engine.h"

#include "ytcaption-whisper/src/engine/bridge.rs.h"

namespace ytcaption {

using ctranslate2::DataType;
using ctranslate2::Device;
using ctranslate2::models::ModelLoader;

namespace {

std::vector<size_t> to_vector(rust::Slice<const size_t> numbers) {
    return {numbers.begin(), numbers.end()};
}

ctranslate2::ReplicaPoolConfig threads_of_each(size_t threads) {
    ctranslate2::ReplicaPoolConfig config;
    config.num_threads_per_replica = threads;
    return config;
}

} // namespace

Engine::Engine(const ModelLoader& loader, size_t threads)
    : pool(std::make_unique<ctranslate2::models::Whisper>(loader, threads_of_each(threads))) {}

std::unique_ptr<StorageView> Engine::encode(const StorageView& features) const {
    return std::make_unique<StorageView>(pool->encode(features, /*to_cpu=*/false).get());
}

rust::Vec<Generation> Engine::generate(
    const StorageView& encoded, size_t windows, rust::Slice<const size_t> prompt, const Search& search) const {
    ctranslate2::models::WhisperOptions options;
    options.beam_size = search.beam_size;
    options.patience = search.patience;
    options.length_penalty = search.length_penalty;
    options.repetition_penalty = search.repetition_penalty;
    options.no_repeat_ngram_size = search.no_repeat_ngram_size;
    options.max_length = search.max_length;
    options.sampling_topk = search.sampling_topk;
    options.sampling_temperature = search.sampling_temperature;
    options.num_hypotheses = search.num_hypotheses;
    options.return_scores = true;
    options.return_no_speech_prob = true;
    options.max_initial_timestamp_index = search.max_initial_timestamp_index;
    options.suppress_blank = search.suppress_blank;
    options.suppress_tokens.assign(search.suppress_tokens.begin(), search.suppress_tokens.end());

    std::vector<std::vector<size_t>> prompts(windows, to_vector(prompt));
    rust::Vec<Generation> generations;
    for (auto& future : pool->generate(encoded, std::move(prompts), std::move(options))) {
        const auto result = future.get();
        Generation generation{};
        for (const size_t token : result.sequences_ids.at(0))
            generation.tokens.push_back(token);
        generation.score = result.scores.at(0);
        generation.no_speech_prob = result.no_speech_prob;
        generations.push_back(std::move(generation));
    }
    return generations;
}

rust::Vec<LanguageProbabilities> Engine::detect_language(const StorageView& encoded) const {
    rust::Vec<LanguageProbabilities> windows;
    for (auto& future : pool->detect_language(encoded)) {
        LanguageProbabilities probabilities;
        for (const auto& [token, probability] : future.get())
            probabilities.languages.push_back(LanguageProbability{token, probability});
        windows.push_back(std::move(probabilities));
    }
    return windows;
}

rust::Vec<Alignment> Engine::align(
    const StorageView& encoded,
    rust::Slice<const size_t> start,
    rust::Slice<const size_t> tokens,
    rust::Slice<const size_t> lengths,
    rust::Slice<const size_t> frames,
    int64_t median_filter_width) const {
    std::vector<std::vector<size_t>> texts;
    auto next = tokens.begin();
    for (const size_t length : lengths) {
        texts.emplace_back(next, next + length);
        next += length;
    }
    rust::Vec<Alignment> windows;
    for (auto& future :
         pool->align(encoded, to_vector(start), std::move(texts), to_vector(frames), median_filter_width)) {
        const auto result = future.get();
        Alignment alignment;
        for (const auto& [token, frame] : result.alignments) {
            alignment.tokens.push_back(token);
            alignment.frames.push_back(frame);
        }
        for (const float probability : result.text_token_probs)
            alignment.probabilities.push_back(probability);
        windows.push_back(std::move(alignment));
    }
    return windows;
}

std::unique_ptr<Engine> load(
    rust::Str dir, rust::Str device, int32_t device_index, rust::Str compute_type, size_t replicas, size_t threads) {
    ModelLoader loader{std::string(dir)};
    loader.device = ctranslate2::str_to_device(std::string(device));
    loader.device_indices = {device_index};
    loader.compute_type = ctranslate2::str_to_compute_type(std::string(compute_type));
    // This is what ct2rs does not offer: these replicas hold the same model.
    loader.num_replicas_per_device = replicas;
    return std::make_unique<Engine>(loader, threads);
}

std::unique_ptr<StorageView> view(rust::Slice<float> values, size_t windows, size_t rows, size_t columns) {
    const auto size = [](size_t length) { return static_cast<ctranslate2::dim_t>(length); };
    return std::make_unique<StorageView>(
        ctranslate2::Shape{size(windows), size(rows), size(columns)}, values.data(), Device::CPU);
}

rust::Slice<const float> values(const StorageView& view) {
    if (view.device() != Device::CPU || view.dtype() != DataType::FLOAT32)
        return {};
    return {view.data<float>(), static_cast<size_t>(view.size())};
}

} // namespace ytcaption
