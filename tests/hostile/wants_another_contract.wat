;; Was built for a contract to come.
(component
  (instance $output)
  (export "airlock:io/output@0.2.0" (instance $output)))
