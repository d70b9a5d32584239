;; Fills 64 MiB in one instruction, again and again, between which alone it can be stopped.
(core module $main
  (import "host" "memory" (memory 1))
  (func (export "handle-output") (param i32 i32) (result i32)
    (drop (memory.grow (i32.const 1023)))
    (loop $again
      (memory.fill (i32.const 0) (i32.const 7) (i32.const 0x4000000))
      (br $again))
    unreachable))
