//! Whether the numbers of a model fit together. CTranslate2 believes them: with 0 heads it divides by zero, and for a token
//! past its tables it reads whatever memory is there. Either would end the process, at every start again.

use std::ops::RangeInclusive;

use crate::files::Config;
use crate::weights::{Element, Variable, Weights};

/// Positions of the decoder: how many tokens are requested of CTranslate2 at most, prompt included.
const DECODER_POSITIONS: u32 = 448;
/// Positions of the encoder for each second of audio.
const POSITIONS_PER_SECOND: u32 = 50;
/// Width of both convolutions.
const CONVOLUTION_WIDTH: u32 = 3;
/// Whisper large has 32 layers on each side; a model a few times as deep could still exist.
const MAX_LAYERS: u32 = 256;
/// Mel bins: 80, and 128 from large-v3 on.
const MELS: RangeInclusive<u32> = 1..=1024;
/// What CTranslate2 takes where the weights do not say it.
const DEFAULT_HEADS: i64 = 8;
/// Single numbers that switch code of CTranslate2 on which Whisper does not use, or select one of its functions.
const SCALARS: [(&str, RangeInclusive<i64>); 9] = [
    ("activation", 0..=6),
    ("pre_norm", 0..=1),
    ("alibi", 0..=0),
    ("alibi_use_positive_positions", 0..=1),
    ("scale_alibi", 0..=1),
    ("scale_embeddings", 0..=1),
    ("start_from_zero_embedding", 0..=1),
    ("multi_query_attention", 0..=0),
    ("layernorm_embedding", 0..=0),
];

/// Variables with these names at the end hold floats, whatever the precision of the weights.
const FLOATS: [&str; 5] = ["bias", "beta", "gamma", "encodings", "weight_scale"];

/// Checks the weights and the configuration of a model of `tokens` tokens and windows of `chunk_length_s` seconds.
///
/// # Errors
/// What does not fit, as the end of a sentence about the model.
pub(crate) fn check(weights: &Weights, config: &Config, tokens: usize, chunk_length_s: u32) -> Result<(), String> {
    check_tokens(config, tokens)?;
    if config.quantization_type != 0 {
        return Err("config.json has a quantization_type, which Whisper does not have".to_owned());
    }
    let table = Table(weights);
    let [width, mels, _] = table.shape("encoder/conv1/weight")?;
    if width == 0 || !MELS.contains(&mels) {
        return Err(format!("its encoder has {mels} mel bins and a width of {width}"));
    }
    table.expect("encoder/conv1/weight", &[width, mels, CONVOLUTION_WIDTH])?;
    table.expect("encoder/conv2/weight", &[width, width, CONVOLUTION_WIDTH])?;
    table.expect_positions("encoder", width, chunk_length_s * POSITIONS_PER_SECOND)?;
    table.expect_positions("decoder", width, DECODER_POSITIONS)?;
    let rows = u32::try_from(tokens).map_err(|_| "its vocabulary is too large".to_owned())?;
    table.expect("decoder/embeddings/weight", &[rows, width])?;
    if table.0.variable("decoder/projection/weight").is_some() {
        table.expect("decoder/projection/weight", &[rows, width])?;
    }
    table.check_layers("encoder", width, &["self_attention"])?;
    let layers = table.check_layers("decoder", width, &["self_attention", "attention"])?;
    let heads = table.heads("encoder", width).and_then(|_| table.heads("decoder", width))?;
    for (layer, head) in config.alignment_heads.iter().flatten() {
        if *layer >= layers as usize || *head >= heads as usize {
            return Err(format!(
                "config.json names the alignment head {head} of layer {layer}, which it does not have"
            ));
        }
    }
    for (name, range) in [("alignment_heads", 0..=i64::from(heads)), ("alignment_layer", -1..=i64::from(layers) - 1)] {
        let value = table.0.variable(&format!("decoder/{name}")).and_then(|variable| variable.value);
        if let Some(value) = value.filter(|value| !range.contains(value)) {
            return Err(format!("decoder/{name} is {value}"));
        }
    }
    weights.variables().iter().try_for_each(|variable| check_variable(&table, variable))
}

fn check_tokens(config: &Config, tokens: usize) -> Result<(), String> {
    let listed = [("lang_ids", &config.lang_ids), ("suppress_ids", &config.suppress_ids)];
    for (name, ids) in listed.into_iter().chain([("suppress_ids_begin", &config.suppress_ids_begin)]) {
        if let Some(id) = ids.iter().find(|id| **id >= tokens) {
            return Err(format!("config.json lists the token {id} in {name}, and its vocabulary has {tokens}"));
        }
    }
    Ok(())
}

/// What belongs to a weight has its size, and a single number is one that Whisper has.
fn check_variable(table: &Table<'_>, variable: &Variable) -> Result<(), String> {
    let leaf = variable.name.rsplit('/').next().unwrap_or_default();
    if let (Some((_, range)), Some(value)) = (SCALARS.iter().find(|(name, _)| *name == leaf), variable.value)
        && !range.contains(&value)
    {
        return Err(format!("{} is {value}", variable.name));
    }
    if variable.value.is_some() && variable.name.contains("/layer_") {
        return Err(format!("Whisper has no {}", variable.name));
    }
    if FLOATS.contains(&leaf) && !matches!(variable.element, Element::Float32 | Element::Float16 | Element::Bfloat16) {
        return Err(format!("{} holds whole numbers", variable.name));
    }
    let (Some(of), [rows, _, ..]) = (variable.name.strip_suffix("weight"), &*variable.shape) else { return Ok(()) };
    let beside = |name: &str| table.0.variable(&format!("{of}{name}"));
    if beside("bias").is_some_and(|bias| bias.shape != [*rows]) {
        return Err(format!("{of}bias does not have {rows} numbers"));
    }
    let scale = beside("weight_scale").map(|scale| (scale.elements, scale.element));
    let fits = match variable.element {
        Element::Int8 => scale == Some((u64::from(*rows), Element::Float32)),
        Element::Int16 => scale.is_none_or(|(_, element)| element == Element::Float32),
        _ => true,
    };
    if fits { Ok(()) } else { Err(format!("{of}weight_scale does not fit its weight")) }
}

struct Table<'a>(&'a Weights);

impl Table<'_> {
    fn shape<const N: usize>(&self, name: &str) -> Result<[u32; N], String> {
        let variable = self.0.variable(name).ok_or_else(|| format!("it has no {name}"))?;
        <[u32; N]>::try_from(&*variable.shape).map_err(|_| format!("{name} has {} dimensions", variable.shape.len()))
    }

    fn expect<const N: usize>(&self, name: &str, expected: &[u32; N]) -> Result<(), String> {
        match self.shape::<N>(name)? {
            shape if shape == *expected => Ok(()),
            shape => Err(format!("{name} has the shape {shape:?}, and {expected:?} is needed")),
        }
    }

    fn expect_positions(&self, side: &str, width: u32, needed: u32) -> Result<(), String> {
        let name = format!("{side}/position_encodings/encodings");
        match self.shape(&name)? {
            [positions, columns] if positions >= needed && columns == width => Ok(()),
            shape => Err(format!("{name} has the shape {shape:?}, and at least [{needed}, {width}] is needed")),
        }
    }

    /// Checks the layers of one side and returns how many there are.
    fn check_layers(&self, side: &str, width: u32, attentions: &[&str]) -> Result<u32, String> {
        let exists = |layer: &u32| self.0.variable(&format!("{side}/layer_{layer}/self_attention/linear_0/weight"));
        let layers = (0..=MAX_LAYERS).take_while(|layer| exists(layer).is_some()).count();
        let layers = u32::try_from(layers).unwrap_or(u32::MAX);
        // The number of layers that CTranslate2 finds is checked too: a gap ends its list.
        let named = self.0.layers(side);
        if layers == 0 || layers > MAX_LAYERS || named != u64::from(layers) {
            return Err(format!("its {side} has {layers} whole layers of {named}"));
        }
        for layer in 0..layers {
            let of = |part: &str| format!("{side}/layer_{layer}/{part}");
            for attention in attentions {
                let of = |part: &str| of(&format!("{attention}/{part}"));
                if *attention == "self_attention" {
                    self.expect(&of("linear_0/weight"), &[3 * width, width])?;
                    self.expect(&of("linear_1/weight"), &[width, width])?;
                } else {
                    self.expect(&of("linear_0/weight"), &[width, width])?;
                    self.expect(&of("linear_1/weight"), &[2 * width, width])?;
                    self.expect(&of("linear_2/weight"), &[width, width])?;
                }
                self.expect_norm(&of("layer_norm"), width)?;
            }
            let [inner, columns] = self.shape(&of("ffn/linear_0/weight"))?;
            if inner == 0 || columns != width {
                return Err(format!("{} has the shape [{inner}, {columns}]", of("ffn/linear_0/weight")));
            }
            self.expect(&of("ffn/linear_1/weight"), &[width, inner])?;
            self.expect_norm(&of("ffn/layer_norm"), width)?;
        }
        self.expect_norm(&format!("{side}/layer_norm"), width)?;
        Ok(layers)
    }

    fn expect_norm(&self, name: &str, width: u32) -> Result<(), String> {
        ["beta", "gamma"].iter().try_for_each(|part| self.expect(&format!("{name}/{part}"), &[width]))
    }

    fn heads(&self, side: &str, width: u32) -> Result<u32, String> {
        let stored = self.0.variable(&format!("{side}/num_heads"));
        let heads = stored.map_or(Some(DEFAULT_HEADS), |heads| heads.value);
        match heads.and_then(|heads| u32::try_from(heads).ok()) {
            Some(heads @ 1..) if width.is_multiple_of(heads) => Ok(heads),
            _ => Err(format!("its {side} has {heads:?} attention heads for a width of {width}")),
        }
    }
}

#[cfg(test)]
mod tests;
