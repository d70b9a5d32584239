;; Grows two tables in turn without end.
(core module $main
  (import "host" "memory" (memory 1))
  (table $a 0 funcref)
  (table $b 0 funcref)
  (func (export "handle-output") (param i32 i32) (result i32)
    (loop $again
      (drop (table.grow $a (ref.null func) (i32.const 1000)))
      (drop (table.grow $b (ref.null func) (i32.const 1000)))
      (br $again))
    unreachable))
