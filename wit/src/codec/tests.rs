//! Bytes are postcard's, depth is bounded in both directions, and what refuses is found.

use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::string::{String, ToString as _};
use alloc::{format, vec, vec::Vec};

use serde::{Deserialize, Serialize};

use super::*;

extern crate std;

mod elsewhere {
    pub(super) struct Job;
}
struct Job;

#[test]
fn what_is_encoded_decodes() {
    let mut buffer = vec![7];
    encode_into(&(1_u32, "two", [3.0_f64]), &mut buffer).unwrap();
    let (one, two, three): (u32, String, [f64; 1]) = decode(&buffer[1..]).unwrap();
    assert_eq!((one, two.as_str(), three), (1, "two", [3.0]));
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Everything {
    Unit,
    New(Option<Name>),
    Tuple(i8, i128, u128, char),
    Struct { map: BTreeMap<u16, Vec<bool>>, float: f32, unit: (), pair: (u64, i64) },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Name(String);

#[test]
fn the_bytes_are_postcards() {
    let map = BTreeMap::from([(1, vec![true]), (300, vec![]), (65_535, vec![false, true])]);
    let all = vec![
        Everything::Unit,
        Everything::New(None),
        Everything::New(Some(Name("é".to_string()))),
        Everything::Tuple(-1, i128::MIN, u128::MAX, '\u{10ffff}'),
        Everything::Struct { map, float: -0.0, unit: (), pair: (u64::MAX, i64::MIN) },
    ];
    let mut ours = vec![];
    encode_into(&all, &mut ours).unwrap();
    assert_eq!(ours, postcard::to_allocvec(&all).unwrap());
    assert_eq!(decode::<Vec<Everything>>(&ours).unwrap(), all);
    for end in 0..ours.len() {
        assert!(decode::<Vec<Everything>>(&ours[..end]).is_err(), "cut at {end}");
    }
}

#[test]
fn trailing_bytes_are_no_value() {
    assert_eq!(decode::<u8>(&[1, 2]).map_err(|error| error.position), Err(1));
    assert!(decode::<u32>(&[0x80]).is_err());
    assert_eq!(decode_front::<u8>(&[1, 2]), Ok((1, &[2][..])));
}

#[test]
fn a_length_that_no_message_can_keep_reserves_nothing() {
    // Each of 500 lists in each other announces a hundred elements that are not there.
    let error = decode::<Nested>(&[100; 500]).unwrap_err();
    assert_eq!(error.cause, Cause::Encoding(postcard::Error::DeserializeUnexpectedEnd));
    // Four billion are more than any message has.
    let error = decode::<Nested>(&[0xff, 0xff, 0xff, 0xff, 0x0f]).unwrap_err();
    assert_eq!(error.cause, Cause::Encoding(postcard::Error::DeserializeBadEncoding));
}

#[test]
fn schemas_differ_by_type_and_not_by_path() {
    assert_eq!(schema::<Job>(), schema::<elsewhere::Job>());
    assert_eq!(schema::<Vec<Job>>(), schema::<Vec<elsewhere::Job>>());
    assert_ne!(schema::<Vec<Job>>(), schema::<Option<Job>>());
    assert_ne!(schema::<u32>(), schema::<u64>());
    assert_ne!(schema::<(u8, u16)>(), schema::<(u16, u8)>());
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nested(Vec<Nested>);

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Tree {
    Leaf,
    Branch(Box<Tree>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Node {
    value: u32,
    next: Option<Box<Node>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Nothing,
    Struct { name: String, inner: Box<Shape> },
    Tuple(u8, Box<Shape>),
    List(Vec<Shape>),
    Map(BTreeMap<u8, Shape>),
}

fn nested(levels: usize) -> Nested {
    (1..levels).fold(Nested(vec![]), |inner, _| Nested(vec![inner]))
}

fn tree(levels: usize) -> Tree {
    (0..levels).fold(Tree::Leaf, |inner, _| Tree::Branch(Box::new(inner)))
}

fn list(levels: usize) -> Node {
    (1..levels).fold(Node { value: 0, next: None }, |next, _| Node { value: 1, next: Some(Box::new(next)) })
}

fn shape(levels: usize) -> Shape {
    (0..levels).fold(Shape::Nothing, |inner, level| match level % 4 {
        0 => Shape::Struct { name: "x".to_string(), inner: Box::new(inner) },
        1 => Shape::Tuple(1, Box::new(inner)),
        2 => Shape::List(vec![inner]),
        _ => Shape::Map(BTreeMap::from([(1, inner)])),
    })
}

/// A test's own thread has 2 MiB of stack, as any thread of an embedder's; here it is said, whatever the environment.
fn on_2_mib<V: Send + 'static>(run: impl FnOnce() -> V + Send + 'static) -> V {
    std::thread::Builder::new().stack_size(2 << 20).spawn(run).unwrap().join().unwrap()
}

fn is_bounded<T>(make: fn(usize) -> T)
where
    T: Serialize + for<'a> Deserialize<'a> + core::fmt::Debug + PartialEq + 'static,
{
    on_2_mib(move || {
        for levels in [500, DEPTH_MAX] {
            let (value, mut ours) = (make(levels), vec![]);
            encode_into(&value, &mut ours).unwrap();
            assert_eq!(decode::<T>(&ours).unwrap(), value);
        }
        let (value, mut ours) = (make(DEPTH_MAX + 1), vec![]);
        assert_eq!(encode_into(&value, &mut ours).unwrap_err().cause, Cause::TooDeep);
        let theirs = postcard::to_allocvec(&value).unwrap();
        let error = decode::<T>(&theirs).unwrap_err();
        assert_eq!(error.to_string(), format!("the message is nested deeper than {DEPTH_MAX} levels"));
    });
}

#[test]
fn deep_values_end_at_the_limit() {
    is_bounded(nested);
    is_bounded(tree);
    is_bounded(list);
    is_bounded(shape);
}

#[test]
fn a_million_levels_are_an_error() {
    on_2_mib(|| {
        let tree = vec![1_u8; 1_000_000];
        assert_eq!(decode::<Tree>(&tree).unwrap_err().cause, Cause::TooDeep);
        assert_eq!(decode::<Nested>(&tree).unwrap_err().cause, Cause::TooDeep);
        let shapes: Vec<u8> = [3, 1].repeat(500_000);
        assert_eq!(decode::<Shape>(&shapes).unwrap_err().cause, Cause::TooDeep);
    });
}

#[test]
fn siblings_are_as_deep_as_each_other() {
    let wide = vec![nested(DEPTH_MAX - 1), nested(DEPTH_MAX - 1), nested(2)];
    let mut bytes = vec![];
    encode_into(&wide, &mut bytes).unwrap();
    assert_eq!(decode::<Vec<Nested>>(&bytes).unwrap(), wide);
}

/// Refuses, as a handle does outside of a message.
struct Refuses;

impl Serialize for Refuses {
    fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
        Err(serde::ser::Error::custom("not for sending"))
    }
}

#[derive(Serialize)]
struct Work<K: Ord> {
    name: String,
    jobs: Vec<Part>,
    table: BTreeMap<K, Option<Part>>,
}

#[derive(Serialize)]
enum Part {
    Done,
    Pair(u8, Refuses),
    Call { callback: Refuses },
}

fn refusal<T: Serialize>(value: &T) -> String {
    match encode_into(value, &mut vec![]).unwrap_err().cause {
        Cause::Refused(unsendable) => format!("{unsendable}"),
        other => panic!("it is {other}"),
    }
}

#[cfg(feature = "paths")]
#[test]
fn what_refuses_is_found() {
    fn work<K: Ord>(jobs: Vec<Part>, table: BTreeMap<K, Option<Part>>) -> Work<K> {
        Work { name: "x".to_string(), jobs, table }
    }
    let call = || Part::Call { callback: Refuses };
    let in_list = work(vec![Part::Done, Part::Done, call()], BTreeMap::<u8, _>::new());
    assert_eq!(refusal(&in_list), "jobs[2].callback: not for sending");
    let in_map = work(vec![], BTreeMap::from([("one", None), ("two", Some(Part::Pair(1, Refuses)))]));
    assert_eq!(refusal(&in_map), "table[\"two\"].1: not for sending");
    let by_number = work(vec![], BTreeMap::from([((1, 2), None), ((3, 4), Some(call()))]));
    assert_eq!(refusal(&(7, by_number)), "1.table[..].callback: not for sending");
    assert_eq!(refusal(&Refuses), "not for sending");
}

#[test]
fn elements_without_size_are_not_counted_for_ever() {
    let (mut most, mut more) = (Vec::new(), vec![]);
    encode_into(&vec![(); 65_536], &mut most).unwrap();
    assert_eq!(decode::<Vec<()>>(&most).map(|units| units.len()), Ok(65_536));
    encode_into(&vec![(); 70_000], &mut more).unwrap();
    assert!(decode::<Vec<()>>(&more).is_err());
    assert!(decode::<Vec<()>>(&[0xff, 0xff, 0xff, 0xff, 0x0f]).is_err(), "four billion in five bytes");
}
