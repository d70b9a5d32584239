;; Wants something that is never lent.
(component
  (import "wasi:http/outgoing-handler@0.2.0" (instance))
  (instance $output)
  (export "airlock:io/output@0.1.0" (instance $output)))
