;; Says that it stores, by a function of another type.
(component
  (core module $m (func (export "f") (param i32) (result i32) (local.get 0)))
  (core instance $i (instantiate $m))
  (func $f (param "bytes" u32) (result u32) (canon lift (core func $i "f")))
  (instance $output (export "handle-output" (func $f)))
  (export "airlock:io/output@0.1.0" (instance $output)))
