;; One isolate that returns at once, and two that send a message back and forth.
;;
;; Memory: 0 its own port, 4 the SendPort of it, 16 what a receive found, 64 the message (zeros), 128 what was received,
;; 256 the handle that came with it: the other's SendPort.
(module
  (import "insula:isolate/isolates@0.1.0" "initial-message"
    (func $initial_message (param i32 i32 i32 i32 i32) (result i32)))
  (import "insula:isolate/ports@0.1.0" "open" (func $open (param i64 i32 i32) (result i32)))
  (import "insula:isolate/ports@0.1.0" "sender" (func $sender (param i32 i32) (result i32)))
  (import "insula:isolate/ports@0.1.0" "send" (func $send (param i32 i32 i32 i32 i32) (result i32)))
  (import "insula:isolate/ports@0.1.0" "receive" (func $receive (param i32 i64 i32 i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)

  (func $ok (param $status i32) (if (local.get $status) (then unreachable)))

  ;; Fetches the message that it was born with, and opens its port.
  (func $born
    (call $ok (call $initial_message
      (i32.const 128) (i32.const 64) (i32.const 256) (i32.const 1) (i32.const 16)))
    (call $ok (call $open (i64.const 0) (i32.const 0) (i32.const 0)))
    (call $ok (call $sender (i32.load (i32.const 0)) (i32.const 4))))

  ;; Sends so many bytes, and its own SendPort if `$with` is 1.
  (func $tell (param $bytes i32) (param $with i32)
    (call $ok (call $send
      (i32.load (i32.const 256)) (i32.const 64) (local.get $bytes) (i32.const 4) (local.get $with))))

  ;; Waits for a message. Whatever comes with it replaces whom it tells.
  (func $hear (result i32)
    (call $receive (i32.load (i32.const 0)) (i64.const -1)
      (i32.const 128) (i32.const 64) (i32.const 256) (i32.const 1) (i32.const 16)))

  (func (export "returns"))

  ;; Born with the embedder's port, which it tells its own. Answers until nobody can ask.
  (func (export "answers")
    (call $born)
    (call $tell (i32.const 1) (i32.const 1))
    (block $alone
      (loop $again
        (br_if $alone (call $hear))
        (call $tell (i32.const 24) (i32.const 0))
        (br $again))))

  ;; Born with how often it asks, and whom. Its first question says where to answer.
  (func (export "asks") (local $left i32)
    (call $born)
    (local.set $left (i32.load (i32.const 128)))
    (call $tell (i32.const 24) (i32.const 1))
    (loop $again
      (call $ok (call $hear))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (if (local.get $left)
        (then (call $tell (i32.const 24) (i32.const 0)) (br $again))))))
