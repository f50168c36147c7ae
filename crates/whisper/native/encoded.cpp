// Reads what the encoder computed: ct2rs hands it out, but does not let its values be seen.
//
// CTranslate2's headers lie where only the build of ct2rs finds them, so the one function needed is declared here.
namespace ctranslate2 {
class StorageView {
public:
    template <typename T>
    T* data();
};
extern template float* StorageView::data<float>();
} // namespace ctranslate2

// The first value, or null if the values are not 32-bit floats (CTranslate2 throws then).
extern "C" const float* ytcaption_encoded_values(ctranslate2::StorageView* encoded) noexcept {
    try {
        return encoded->data<float>();
    } catch (...) {
        return nullptr;
    }
}
