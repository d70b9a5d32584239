;; A component that stores, around the core modules of an attack: `$main`, which exports `handle-output`, and `$memory`, which
;; exports the memory and what allocates in it.
(component
  (import "airlock:io/types@0.1.0" (instance $types
    (type $other-fields (record (field "code" string) (field "message" string) (field "retryable" bool)))
    (export "other-error" (type $other (eq $other-fields)))
    (type $strings (list string))
    (type $error-cases (variant
      (case "not-found" $strings)
      (case "invalid-config" string)
      (case "unsupported-type" string)
      (case "corrupt" string)
      (case "access-denied" string)
      (case "conflict" string)
      (case "limit-exceeded" string)
      (case "unavailable" string)
      (case "other" $other)))
    (export "error" (type (eq $error-cases)))
    (type $levels (enum "debug" "info" "warn" "error"))
    (export "level" (type (eq $levels)))))
  (alias export $types "error" (type $error))
  (alias export $types "level" (type $level))
  (import "airlock:io/context@0.1.0" (instance $context
    (export "output-context" (type $output-context (sub resource)))
    (alias outer 1 $level (type $outer-level))
    (export "level" (type $inner-level (eq $outer-level)))
    (export "[method]output-context.attempt" (func (param "self" (borrow $output-context)) (result u32)))
    (export "[method]output-context.run-id" (func (param "self" (borrow $output-context)) (result string)))
    (export "[method]output-context.log" (func
      (param "self" (borrow $output-context)) (param "level" $inner-level) (param "message" string)))))
  (alias export $context "output-context" (type $output-context))
  (import "airlock:io/value@0.1.0" (instance $value (export "source" (type (sub resource)))))
  (alias export $value "source" (type $source))
  (core func $attempt (canon lower (func $context "[method]output-context.attempt")))
  (core func $drop-context (canon resource.drop $output-context))
  (core func $drop-source (canon resource.drop $source))

  ;;; the attack

  (core instance $memory-instance (instantiate $memory
    (with "host" (instance (export "attempt" (func $attempt))))))
  (alias core export $memory-instance "memory" (core memory $shared))
  (alias core export $memory-instance "realloc" (core func $realloc))
  (core func $run-id
    (canon lower (func $context "[method]output-context.run-id") (memory $shared) (realloc $realloc)))
  (core func $log (canon lower (func $context "[method]output-context.log") (memory $shared)))
  (core instance $main-instance (instantiate $main (with "host" (instance
    (export "memory" (memory $shared))
    (export "attempt" (func $attempt))
    (export "run-id" (func $run-id))
    (export "log" (func $log))
    (export "drop-context" (func $drop-context))
    (export "drop-source" (func $drop-source))))))
  (func $handle-output
    (param "context" (borrow $output-context)) (param "value" (borrow $source)) (result (result (error $error)))
    (canon lift (core func $main-instance "handle-output") (memory $shared)))
  (instance $output (export "handle-output" (func $handle-output)))
  (export "airlock:io/output@0.1.0" (instance $output)))
