;; Logs bytes that are no text.
(core module $main
  (import "host" "memory" (memory 1))
  (import "host" "log" (func $log (param i32 i32 i32 i32)))
  (func (export "handle-output") (param i32 i32) (result i32)
    (i32.store (i32.const 0) (i32.const -1))
    (call $log (local.get 0) (i32.const 1) (i32.const 0) (i32.const 4))
    (i32.const 512)))
