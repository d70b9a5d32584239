;; Answers with an error whose text is four gigabytes long, so it says.
(core module $main
  (import "host" "memory" (memory 1))
  (import "host" "drop-context" (func $drop-context (param i32)))
  (import "host" "drop-source" (func $drop-source (param i32)))
  (func (export "handle-output") (param i32 i32) (result i32)
    (call $drop-context (local.get 0))
    (call $drop-source (local.get 1))
    (i32.store8 (i32.const 512) (i32.const 1))
    (i32.store8 (i32.const 516) (i32.const 3))
    (i32.store (i32.const 520) (i32.const 0))
    (i32.store (i32.const 524) (i32.const -1))
    (i32.const 512)))
