;; Asks for a memory of 64-bit addresses, which can be larger than any limit.
(core module $main
  (import "host" "memory" (memory 1))
  (memory i64 1)
  (func (export "handle-output") (param i32 i32) (result i32) (i32.const 512)))
