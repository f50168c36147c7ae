// CTranslate2's Whisper for Rust, where ct2rs does not reach: replicas that share their weights, prompts as numbers, and
// the encoder's values. src/engine/bridge.rs declares the same to Rust.
#pragma once

#include <cstdint>
#include <memory>

#include <ctranslate2/models/whisper.h>

#include "rust/cxx.h"

namespace ytcaption {

using ctranslate2::StorageView;

// Declared in bridge.rs.
struct Alignment;
struct Generation;
struct LanguageProbabilities;
struct LanguageProbability;
struct Search;

// One set of weights, and replicas on threads of their own that compute with it.
class Engine {
public:
    Engine(const ctranslate2::models::ModelLoader& loader, size_t threads);

    bool is_multilingual() const { return pool->is_multilingual(); }
    size_t mels() const { return pool->n_mels(); }

    std::unique_ptr<StorageView> encode(const StorageView& features) const;
    rust::Vec<Generation> generate(
        const StorageView& encoded, size_t windows, rust::Slice<const size_t> prompt, const Search& search) const;
    rust::Vec<LanguageProbabilities> detect_language(const StorageView& encoded) const;
    rust::Vec<Alignment> align(
        const StorageView& encoded,
        rust::Slice<const size_t> start,
        rust::Slice<const size_t> tokens,
        rust::Slice<const size_t> lengths,
        rust::Slice<const size_t> frames,
        int64_t median_filter_width) const;

private:
    std::unique_ptr<ctranslate2::models::Whisper> pool;
};

std::unique_ptr<Engine> load(
    rust::Str dir, rust::Str device, int32_t device_index, rust::Str compute_type, size_t replicas, size_t threads);

std::unique_ptr<StorageView> view(rust::Slice<float> values, size_t windows, size_t rows, size_t columns);

rust::Slice<const float> values(const StorageView& view);

} // namespace ytcaption
