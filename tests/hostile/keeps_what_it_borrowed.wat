;; Keeps the handles that it was lent for the call.
(core module $main
  (import "host" "memory" (memory 1))
  (func (export "handle-output") (param i32 i32) (result i32) (i32.const 512)))
