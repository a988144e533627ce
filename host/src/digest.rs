//! The sha256 of a module, by which an embedder says which one it means.

use std::fmt;
use std::str::FromStr;

use sha2::Digest as _;

/// A sha256. Its text is 64 hexadecimal digits, as `sha256sum` prints them.
///
/// ```
/// use insula::Sha256;
/// let text = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
/// let of_nothing: Sha256 = text.parse()?;
/// assert_eq!(of_nothing, Sha256::of(b""));
/// assert_eq!(of_nothing.to_string(), text);
/// assert!("e3b0".parse::<Sha256>().is_err());
/// # Ok::<(), insula::NotSha256>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha256(pub [u8; 32]);

/// A text that is no sha256.
///
/// ```
/// let error = "e3b0".parse::<insula::Sha256>().unwrap_err();
/// assert_eq!(error.to_string(), "a sha256 has 64 hexadecimal digits");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a sha256 has 64 hexadecimal digits")]
#[non_exhaustive]
pub struct NotSha256;

impl Sha256 {
    /// That of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Sha256 {
        Sha256(sha2::Sha256::digest(bytes).into())
    }
}

impl FromStr for Sha256 {
    type Err = NotSha256;

    fn from_str(text: &str) -> Result<Sha256, NotSha256> {
        let digits: Option<Vec<u8>> = text.chars().map(|digit| digit.to_digit(16).map(|value| value as u8)).collect();
        let digits = digits.filter(|digits| digits.len() == 64).ok_or(NotSha256)?;
        Ok(Sha256(std::array::from_fn(|at| digits[2 * at] << 4 | digits[2 * at + 1])))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sha256({self})")
    }
}
