;; Grows eight memories of its own in turn, of which each stays below the limit.
(core module $main
  (import "host" "memory" (memory 1))
  (memory $a 0) (memory $b 0) (memory $c 0) (memory $d 0) (memory $e 0) (memory $f 0) (memory $g 0) (memory $h 0)
  (func (export "handle-output") (param i32 i32) (result i32)
    (loop $again
      (drop (memory.grow $a (i32.const 16)))
      (drop (memory.grow $b (i32.const 16)))
      (drop (memory.grow $c (i32.const 16)))
      (drop (memory.grow $d (i32.const 16)))
      (drop (memory.grow $e (i32.const 16)))
      (drop (memory.grow $f (i32.const 16)))
      (drop (memory.grow $g (i32.const 16)))
      (drop (memory.grow $h (i32.const 16)))
      (br $again))
    unreachable))
