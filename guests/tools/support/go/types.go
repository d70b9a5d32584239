// Package wit_types has the types that the generated bindings build on.
package wit_types

const (
	OptionNone = 0
	OptionSome = 1
	ResultOk   = 0
	ResultErr  = 1
)

// Unit is the value where there is nothing to say.
type Unit struct{}

// Tuple2 is a pair.
type Tuple2[A, B any] struct {
	F0 A
	F1 B
}

// Option is a value or nothing.
type Option[T any] struct {
	present bool
	value   T
}

func Some[T any](value T) Option[T] { return Option[T]{present: true, value: value} }

func None[T any]() Option[T] { return Option[T]{} }

func (option Option[T]) Tag() uint8 {
	if option.present {
		return OptionSome
	}
	return OptionNone
}

// Some is the value, which must be there.
func (option Option[T]) Some() T {
	if !option.present {
		panic("there is no value")
	}
	return option.value
}

// Get is the value and whether there is one.
func (option Option[T]) Get() (T, bool) { return option.value, option.present }

// Result is what came out, or an error.
type Result[T, E any] struct {
	failed bool
	value  T
	err    E
}

func Ok[T, E any](value T) Result[T, E] { return Result[T, E]{value: value} }

func Err[T, E any](err E) Result[T, E] { return Result[T, E]{failed: true, err: err} }

func (result Result[T, E]) Tag() uint8 {
	if result.failed {
		return ResultErr
	}
	return ResultOk
}

func (result Result[T, E]) IsErr() bool { return result.failed }

// Ok is what came out, which must not have failed.
func (result Result[T, E]) Ok() T {
	if result.failed {
		panic("it failed")
	}
	return result.value
}

// Err is the error, which must be there.
func (result Result[T, E]) Err() E {
	if !result.failed {
		panic("it did not fail")
	}
	return result.err
}
