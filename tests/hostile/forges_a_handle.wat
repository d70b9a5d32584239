;; Uses handles that it was never given.
(core module $main
  (import "host" "memory" (memory 1))
  (import "host" "attempt" (func $attempt (param i32) (result i32)))
  (func (export "handle-output") (param i32 i32) (result i32)
    (drop (call $attempt (i32.add (local.get 0) (i32.const 1000))))
    (i32.const 512)))
