//! The table of contents of `model.bin`, without the numbers: that is read in milliseconds, finds a file that is cut off
//! or belongs to another vocabulary, and gives the memory that the model will take.
//!
//! The format is that of CTranslate2's `python/ctranslate2/specs/model_spec.py`, little-endian: version
//! (u32), name of the spec, its revision (u32), number of variables (u32); of each variable its name, rank
//! (u8), dimensions (u32 each), element type (u8), length in bytes (u32) and the bytes; then the aliases.
//! A text is its length (u16), counting a final NUL, and its bytes.

use std::fs::File;
use std::io::{BufReader, Read, Seek as _, SeekFrom};
use std::path::Path;

use crate::footprint::Dimensions;
use crate::{ComputeType, Device, ModelError};

/// The name CTranslate2 writes at the head of a Whisper model.
const SPEC: &str = "WhisperSpec";
/// Versions of the format as described above; 6 is what CTranslate2 4 writes and the newest it reads.
const VERSIONS: std::ops::RangeInclusive<u32> = 4..=6;
/// No spec or variable has a longer name; a longer one means that this is another kind of file.
const MAX_NAME: u16 = 512;
/// Large Whisper models have about 2,000.
const MAX_VARIABLES: u32 = 100_000;
const EMBEDDINGS: &str = "decoder/embeddings/weight";
/// Tables that are looked up, not multiplied with: they are not packed.
const TABLES: &str = "embeddings";
/// MKL computes with a copy of each matrix in an order of its own. Measured with weights of the published dimensions
/// (tiny, base, small; int8, int16, float32), copies and what the allocator keeps of the originals take twice the
/// matrices and up to this much for each of them.
const PACKING_BYTES: u64 = 3 * 512 * 1024;
/// Shape: channels out, mel bins in, width.
const FIRST_CONVOLUTION: &str = "encoder/conv1/weight";

/// Type of a variable's elements, numbered as CTranslate2's `DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    Float32,
    Int8,
    Int16,
    Int32,
    Float16,
    Bfloat16,
}

impl Element {
    fn from_id(id: u8) -> Option<Self> {
        let known = [Self::Float32, Self::Int8, Self::Int16, Self::Int32, Self::Float16, Self::Bfloat16];
        known.get(usize::from(id)).copied()
    }

    const fn bytes(self) -> u64 {
        match self {
            Self::Int8 => 1,
            Self::Int16 | Self::Float16 | Self::Bfloat16 => 2,
            Self::Float32 | Self::Int32 => 4,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) shape: Vec<u32>,
    pub(crate) element: Element,
    pub(crate) elements: u64,
    /// A single whole number, such as that of the attention heads.
    pub(crate) value: Option<i64>,
}

impl Variable {
    /// Whether CTranslate2 converts it to the requested precision, as `Model::is_quantizable` has it.
    fn is_weight(&self) -> bool {
        self.shape.len() > 1 && self.name.ends_with("weight")
    }

    /// Whether it is multiplied with, as `Model::is_linear_weight` has it.
    fn is_matrix(&self) -> bool {
        self.shape.len() == 2 && self.is_weight() && !self.name.contains(TABLES)
    }
}

/// The table of contents of a `model.bin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Weights {
    variables: Vec<Variable>,
    /// Further names of variables, and the variables' own.
    aliases: Vec<(String, String)>,
    file_bytes: u64,
}

impl Weights {
    /// Reads the table of a Whisper model and checks that the file has all that it lists.
    pub(crate) fn open(path: &Path) -> Result<Self, ModelError> {
        let unreadable = |source| ModelError::Unreadable { path: path.to_owned(), source };
        let broken = |reason: &str| ModelError::BrokenFile { path: path.to_owned(), reason: reason.to_owned() };
        let file = File::open(path).map_err(unreadable)?;
        let file_bytes = file.metadata().map_err(unreadable)?.len();
        let mut table = Table { file: BufReader::new(file), offset: 0, file_bytes };
        match table.parse() {
            Ok(weights) => Ok(weights),
            Err(TableError::End) => Err(broken("it ends too early; the copy or the download was interrupted")),
            Err(TableError::Format) => Err(broken("it is not in CTranslate2's format")),
            Err(TableError::Version(version)) => {
                Err(broken(&format!("it has version {version} of CTranslate2's format, and this program knows 4 to 6")))
            }
            Err(TableError::Variable(name)) => Err(broken(&format!("the variable {name} has an impossible size"))),
            Err(TableError::Spec(name)) => Err(ModelError::NotWhisper {
                path: path.parent().unwrap_or(path).to_owned(),
                reason: format!("it holds a {name}"),
            }),
            Err(TableError::Io(source)) => Err(unreadable(source)),
        }
    }

    /// Mel bins the encoder was built for.
    pub(crate) fn mels(&self) -> Option<usize> {
        self.dimension(FIRST_CONVOLUTION, 1)
    }

    /// How many tokens the decoder knows.
    pub(crate) fn tokens(&self) -> Option<usize> {
        self.dimension(EMBEDDINGS, 0)
    }

    pub(crate) fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// The variable of that name, which may be an alias. Of two, the first counts, as for CTranslate2.
    pub(crate) fn variable(&self, name: &str) -> Option<&Variable> {
        let named = |name: &str| self.variables.iter().find(|variable| variable.name == name);
        let target = || self.aliases.iter().find(|(alias, _)| alias == name).map(|(_, target)| target);
        named(name).or_else(|| named(target()?))
    }

    /// How many layers the encoder or the decoder (`side`) has: one more than the highest number.
    pub(crate) fn layers(&self, side: &str) -> u64 {
        let in_layer = |name: &str| {
            let layer = name.strip_prefix(side)?.strip_prefix("/layer_")?.split('/').next()?;
            layer.parse::<u64>().ok()
        };
        self.variables.iter().filter_map(|variable| in_layer(&variable.name)).max().map_or(0, |last| last + 1)
    }

    pub(crate) fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// Precision of the weights as converted.
    pub(crate) fn precision(&self) -> &'static str {
        let weights = self.variables.iter().filter(|variable| variable.is_weight());
        match weights.max_by_key(|variable| variable.elements).map(|variable| variable.element) {
            Some(Element::Int8) => "int8",
            Some(Element::Int16) => "int16",
            Some(Element::Float16) => "float16",
            Some(Element::Bfloat16) => "bfloat16",
            _ => "float32",
        }
    }

    /// Memory that the weights take once loaded, in bytes; rather too much than too little. `mkl`: the engine multiplies
    /// with MKL on the processor.
    pub(crate) fn memory_bytes(&self, compute_type: ComputeType, device: Device, mkl: bool) -> u64 {
        let packs = device == Device::Cpu && mkl;
        let bytes_of = |variable: &Variable| {
            let stored = variable.element;
            let wanted = if variable.is_weight() { loaded_as(stored, compute_type, device) } else { stored.bytes() };
            let bytes = variable.elements * wanted;
            if packs && variable.is_matrix() { 2 * bytes + PACKING_BYTES } else { bytes }
        };
        self.variables.iter().map(bytes_of).sum()
    }

    /// The dimensions that determine the size of a replica's buffers.
    pub(crate) fn dimensions(&self) -> Dimensions {
        Dimensions {
            width: self.dimension(FIRST_CONVOLUTION, 0).unwrap_or(0) as u64,
            decoder_layers: self.layers("decoder"),
        }
    }

    fn dimension(&self, variable: &str, axis: usize) -> Option<usize> {
        usize::try_from(*self.variable(variable)?.shape.get(axis)?).ok()
    }
}

/// Bytes of one element of a weight after loading, as CTranslate2 converts it (`resolve_compute_type`).
fn loaded_as(stored: Element, compute_type: ComputeType, device: Device) -> u64 {
    let half = match device {
        // A processor computes neither in 16-bit floats nor, mostly, in brain floats.
        Device::Cpu => Element::Float32,
        Device::Cuda => Element::Float16,
    };
    let element = match compute_type {
        ComputeType::Auto
        | ComputeType::Int8
        | ComputeType::Int8Float32
        | ComputeType::Int8Float16
        | ComputeType::Int8Bfloat16 => Element::Int8,
        ComputeType::Int16 => Element::Int16,
        ComputeType::Float32 => Element::Float32,
        ComputeType::Float16 | ComputeType::Bfloat16 => half,
        ComputeType::Default if matches!(stored, Element::Float16 | Element::Bfloat16) => half,
        ComputeType::Default => stored,
    };
    element.bytes()
}

/// What is wrong with the table.
enum TableError {
    End,
    Format,
    Version(u32),
    Spec(String),
    Variable(String),
    Io(std::io::Error),
}

impl From<std::io::Error> for TableError {
    fn from(error: std::io::Error) -> Self {
        if error.kind() == std::io::ErrorKind::UnexpectedEof { Self::End } else { Self::Io(error) }
    }
}

struct Table {
    file: BufReader<File>,
    offset: u64,
    file_bytes: u64,
}

impl Table {
    fn parse(&mut self) -> Result<Weights, TableError> {
        let version = self.u32()?;
        if !VERSIONS.contains(&version) {
            // Any other file has a random number here: only a small one is a version.
            return Err(if (1..100).contains(&version) { TableError::Version(version) } else { TableError::Format });
        }
        match self.text()? {
            spec if spec == SPEC => {}
            spec if spec.ends_with("Spec") => return Err(TableError::Spec(spec)),
            _ => return Err(TableError::Format),
        }
        let _revision = self.u32()?;
        let count = self.u32()?;
        if count > MAX_VARIABLES {
            return Err(TableError::Format);
        }
        let variables = (0..count).map(|_| self.variable()).collect::<Result<_, _>>()?;
        let count = self.u32()?;
        if count > MAX_VARIABLES {
            return Err(TableError::Format);
        }
        let aliases = (0..count).map(|_| Ok((self.text()?, self.text()?))).collect::<Result<_, TableError>>()?;
        Ok(Weights { variables, aliases, file_bytes: self.file_bytes })
    }

    fn variable(&mut self) -> Result<Variable, TableError> {
        let name = self.text()?;
        let rank = self.bytes::<1>()?[0];
        let shape: Vec<u32> = (0..rank).map(|_| self.u32()).collect::<Result<_, _>>()?;
        let element = Element::from_id(self.bytes::<1>()?[0]);
        let bytes = u64::from(self.u32()?);
        let elements = shape.iter().try_fold(1_u64, |product, length| product.checked_mul(u64::from(*length)));
        let (Some(element), Some(elements)) = (element, elements) else { return Err(TableError::Variable(name)) };
        if elements.checked_mul(element.bytes()) != Some(bytes) {
            return Err(TableError::Variable(name));
        }
        let value = match (&*shape, element) {
            ([], Element::Int8) => Some(i64::from(i8::from_le_bytes(self.bytes()?))),
            ([], Element::Int16) => Some(i64::from(i16::from_le_bytes(self.bytes()?))),
            ([], Element::Int32) => Some(i64::from(i32::from_le_bytes(self.bytes()?))),
            _ => {
                self.offset += bytes;
                if self.offset > self.file_bytes {
                    return Err(TableError::End);
                }
                self.file.seek(SeekFrom::Start(self.offset))?;
                None
            }
        };
        Ok(Variable { name, shape, element, elements, value })
    }

    fn bytes<const N: usize>(&mut self) -> Result<[u8; N], TableError> {
        let mut bytes = [0; N];
        self.file.read_exact(&mut bytes)?;
        self.offset += N as u64;
        Ok(bytes)
    }

    fn u32(&mut self) -> Result<u32, TableError> {
        Ok(u32::from_le_bytes(self.bytes()?))
    }

    fn text(&mut self) -> Result<String, TableError> {
        let length = u16::from_le_bytes(self.bytes()?);
        if length > MAX_NAME {
            return Err(TableError::Format);
        }
        let mut bytes = vec![0; usize::from(length)];
        self.file.read_exact(&mut bytes)?;
        self.offset += u64::from(length);
        Ok(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned())
    }
}
