//! `cargo bench`: the time of a step in each part of the host, from a mailbox to a whole isolate.
//!
//! For whoever changes one of them and wants to know at once. What insula promises beside native references is
//! `compare`'s to measure; that no step grows unseen is the test of instructions' to hold. Nothing here is asserted but
//! that the steps work. A sample is many steps where one is too short to be timed by itself.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

/// Messages from one isolate to another and back, for one birth of the two.
const ROUND_TRIPS: u32 = 1_000;

fn main() {
    divan::main();
}

/// Times a step.
fn time(bencher: Bencher<'_, '_>, mut step: impl FnMut() -> anyhow::Result<()>) {
    bencher.bench_local(|| step().expect("the step works"));
}

mod mailbox {
    use super::*;

    #[divan::bench(sample_size = 1_000)]
    fn send_and_take(bencher: Bencher<'_, '_>) {
        time(bencher, insula_hotpaths::layer2::mailbox().expect("a mailbox can be made"));
    }
}

mod table {
    use super::*;

    #[divan::bench(sample_size = 1_000)]
    fn insert_find_and_release(bencher: Bencher<'_, '_>) {
        time(bencher, insula_hotpaths::layer2::table().expect("a table can be made"));
    }
}

mod codec {
    use insula_hotpaths::codec::Record;
    use insula_wire::codec::{decode, encode_into};
    use serde::Serialize;
    use serde::de::DeserializeOwned;
    use serde_bytes::ByteBuf;

    use super::*;

    /// Times encoding into a buffer that is used again.
    fn encode(bencher: Bencher<'_, '_>, value: &impl Serialize) {
        let mut buffer = Vec::new();
        encode_into(value, &mut buffer).expect("the value can be encoded");
        bencher.counter(BytesCount::new(buffer.len())).bench_local(|| {
            buffer.clear();
            encode_into(divan::black_box(value), &mut buffer)
        });
    }

    /// Times decoding.
    fn back<T: Serialize + DeserializeOwned>(bencher: Bencher<'_, '_>, value: &T) {
        let mut bytes = Vec::new();
        encode_into(value, &mut bytes).expect("the value can be encoded");
        bencher.counter(BytesCount::new(bytes.len())).bench_local(|| decode::<T>(divan::black_box(&bytes)));
    }

    #[divan::bench(sample_size = 1_000)]
    fn encode_record(bencher: Bencher<'_, '_>) {
        encode(bencher, &Record::example());
    }

    #[divan::bench(sample_size = 1_000)]
    fn decode_record(bencher: Bencher<'_, '_>) {
        back(bencher, &Record::example());
    }

    #[divan::bench]
    fn encode_1_000_records(bencher: Bencher<'_, '_>) {
        encode(bencher, &Record::examples(1_000));
    }

    #[divan::bench]
    fn decode_1_000_records(bencher: Bencher<'_, '_>) {
        back(bencher, &Record::examples(1_000));
    }

    #[divan::bench]
    fn encode_64_kib_of_bytes(bencher: Bencher<'_, '_>) {
        encode(bencher, &ByteBuf::from(vec![7; 64 << 10]));
    }

    #[divan::bench]
    fn decode_64_kib_of_bytes(bencher: Bencher<'_, '_>) {
        back(bencher, &ByteBuf::from(vec![7; 64 << 10]));
    }
}

mod spawn {
    use insula_hotpaths::isolates::{Guests, host};

    use super::*;

    #[divan::bench(sample_size = 10)]
    fn until_its_exit_is_seen(bencher: Bencher<'_, '_>) {
        let guests = Guests::new(host().expect("there is room for a small host")).expect("the guests are a module");
        time(bencher, || guests.spawn());
    }
}

mod receive {
    use insula_hotpaths::isolates::{Guests, host, port};

    use super::*;

    #[divan::bench(sample_size = 1_000)]
    fn what_the_embedder_sends_itself(bencher: Bencher<'_, '_>) {
        time(bencher, port(host().expect("there is room for a small host")));
    }

    #[divan::bench]
    fn round_trips_of_two_isolates(bencher: Bencher<'_, '_>) {
        let guests = Guests::new(host().expect("there is room for a small host")).expect("the guests are a module");
        time(bencher.counter(ItemsCount::new(ROUND_TRIPS)), || guests.round_trips(ROUND_TRIPS));
    }
}
