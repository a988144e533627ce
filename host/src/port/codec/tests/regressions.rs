//! What once went wrong in the codec.
use super::*;

struct Panics<'a>(&'a Right);
impl Serialize for Panics<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let _ = self.0.serialize(serializer);
        panic!("a value of the embedder's")
    }
}
struct PanicsToo;
impl<'de> Deserialize<'de> for PanicsToo {
    fn deserialize<D: Deserializer<'de>>(_: D) -> Result<PanicsToo, D::Error> {
        panic!("a value of the embedder's")
    }
}

/// The thread-local list outlives a panic: its rights are held for ever, and attach works outside of a message.
#[test]
fn a_value_that_panics_leaves_no_list_behind() {
    let one = port(1);
    let value = right(&one, HOST);
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| message(&Panics(&value)).is_ok()));
    assert!(result.is_err());
    drop(value);
    assert!(one.is_unreachable());
    assert_eq!(attach(Attachment::Send(SendRight::new(&one)), HOST), None);
}

/// C1, the other way.
#[test]
fn a_value_that_panics_while_it_is_decoded_releases_what_came() {
    let one = port(1);
    let came = message(&right(&one, HOST)).unwrap();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| decode::<PanicsToo>(came).is_ok()));
    assert!(result.is_err());
    assert!(one.is_unreachable());
}
