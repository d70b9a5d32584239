;; Calls itself without end and keeps nothing in its memory, so that only the machine's stack can run out.
(core module $main
  (import "host" "memory" (memory 1))
  (import "host" "attempt" (func $attempt (param i32) (result i32)))
  (func $deep (param i32 i64 i64 i64 i64) (result i32)
    (drop (call $attempt (local.get 0)))
    (i32.add (call $deep (local.get 0) (local.get 1) (local.get 2) (local.get 3) (local.get 4)) (i32.const 1)))
  (func (export "handle-output") (param i32 i32) (result i32)
    (call $deep (local.get 0) (i64.const 1) (i64.const 2) (i64.const 3) (i64.const 4))))
