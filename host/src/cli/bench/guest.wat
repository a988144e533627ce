;; What `insula bench` measures: isolates that return, answer, ask, flood, take, wait and spin.
;;
;; Memory: 0 its own port, 4 the SendPort of it, 16 what a receive found, 64 a small message, 128 what was received at
;; birth, 256 the handle that came with it; from 64 KiB on a large message (zeros), from 128 KiB on one that was received.
(module
  (import "insula:isolate/isolates@0.1.0" "initial-message"
    (func $initial_message (param i32 i32 i32 i32 i32) (result i32)))
  (import "insula:isolate/ports@0.1.0" "open" (func $open (param i64 i32 i32) (result i32)))
  (import "insula:isolate/ports@0.1.0" "sender" (func $sender (param i32 i32) (result i32)))
  (import "insula:isolate/ports@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
  (import "insula:isolate/ports@0.1.0" "send-waiting"
    (func $send_waiting (param i32 i32 i32 i32 i32 i64) (result i32)))
  (import "insula:isolate/ports@0.1.0" "receive" (func $receive (param i32 i64 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 3)

  (func $ok (param $status i32) (if (local.get $status) (then unreachable)))

  ;; Fetches the message that it was born with, opens a port at which senders wait for room, and tells it.
  (func $born
    (call $ok (call $initial_message
      (i32.const 128) (i32.const 64) (i32.const 256) (i32.const 1) (i32.const 16)))
    (call $ok (call $open (i64.const 0) (i32.const 1) (i32.const 0)))
    (call $ok (call $sender (i32.load (i32.const 0)) (i32.const 4))))

  ;; Sends a small message, with its own SendPort if `$with` is 1. A single byte of zero is how a port is encoded.
  (func $tell (param $bytes i32) (param $with i32)
    (call $ok (call $send
      (i32.load (i32.const 256)) (i32.const 64) (local.get $bytes) (i32.const 4) (local.get $with))))

  ;; Waits for a message. A handle that comes with it replaces whom it tells.
  (func $hear (result i32)
    (call $receive (i32.load (i32.const 0)) (i64.const -1)
      (i32.const 131072) (i32.const 65536) (i32.const 256) (i32.const 1) (i32.const 16)))

  (func (export "returns"))

  ;; Answers until nobody can ask.
  (func (export "answers")
    (call $born)
    (call $tell (i32.const 1) (i32.const 1))
    (loop $again
      (if (i32.eqz (call $hear)) (then (call $tell (i32.const 24) (i32.const 0)) (br $again)))))

  ;; Born with how often it asks, and whom. Its first question says where to answer.
  (func (export "asks") (local $left i32)
    (call $born)
    (local.set $left (i32.load (i32.const 128)))
    (call $tell (i32.const 24) (i32.const 1))
    (loop $again
      (call $ok (call $hear))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (if (local.get $left) (then (call $tell (i32.const 24) (i32.const 0)) (br $again)))))

  ;; Takes until nobody can send. Waiting and taking are one.
  (func (export "takes")
    (call $born)
    (call $tell (i32.const 1) (i32.const 1))
    (loop $again (br_if $again (i32.eqz (call $hear)))))

  ;; Born with how many messages it sends, of how many bytes, and to whom.
  (func (export "floods") (local $left i32)
    (call $born)
    (local.set $left (i32.load (i32.const 128)))
    (loop $again
      (call $ok (call $send_waiting (i32.load (i32.const 256))
        (i32.const 65536) (i32.load (i32.const 132)) (i32.const 4) (i32.const 0) (i64.const -1)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left))))

  ;; Tells its port, and never looks up again.
  (func (export "spins")
    (call $born)
    (call $tell (i32.const 1) (i32.const 1))
    (loop $again (br $again))))
