package airlock

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	types "airlock/imports/airlock_io_types"
)

// Error is an error of the contract, which has a kind that the host and others can act on.
type Error struct{ raw types.Error }

// NotFound says that these partitions are absent, or, without any, the value itself.
func NotFound(keys ...string) *Error { return &Error{types.MakeErrorNotFound(keys)} }

// InvalidConfig says that the configuration is wrong, where and why.
func InvalidConfig(format string, arguments ...any) *Error {
	return &Error{types.MakeErrorInvalidConfig(fmt.Sprintf(format, arguments...))}
}

// UnsupportedType says that the manager does not store or load values of this kind.
func UnsupportedType(format string, arguments ...any) *Error {
	return &Error{types.MakeErrorUnsupportedType(fmt.Sprintf(format, arguments...))}
}

// Corrupt says that what is stored cannot be what was stored once.
func Corrupt(format string, arguments ...any) *Error {
	return &Error{types.MakeErrorCorrupt(fmt.Sprintf(format, arguments...))}
}

// Conflict says that what is there already contradicts what is wanted.
func Conflict(format string, arguments ...any) *Error {
	return &Error{types.MakeErrorConflict(fmt.Sprintf(format, arguments...))}
}

// Other is any other error, with a short kebab-case word that a program can match.
func Other(code, format string, arguments ...any) *Error {
	return &Error{types.MakeErrorOther(types.OtherError{Code: code, Message: fmt.Sprintf(format, arguments...)})}
}

func (e *Error) Error() string {
	switch e.raw.Tag() {
	case types.Error_NotFound:
		return fmt.Sprintf("not found: %q", e.raw.NotFound())
	case types.Error_InvalidConfig:
		return "invalid configuration: " + e.raw.InvalidConfig()
	case types.Error_UnsupportedType:
		return "unsupported type: " + e.raw.UnsupportedType()
	case types.Error_Corrupt:
		return "corrupt: " + e.raw.Corrupt()
	case types.Error_AccessDenied:
		return "access denied: " + e.raw.AccessDenied()
	case types.Error_Conflict:
		return "conflict: " + e.raw.Conflict()
	case types.Error_LimitExceeded:
		return "limit exceeded: " + e.raw.LimitExceeded()
	case types.Error_Unavailable:
		return "unavailable: " + e.raw.Unavailable()
	default:
		other := e.raw.Other()
		return other.Code + ": " + other.Message
	}
}

// AsError is the error of the contract that says what err says: err itself, one that it wraps, or that which what the
// operating system says comes to.
func AsError(err error) *Error {
	var own *Error
	if errors.As(err, &own) {
		return own
	}
	for _, known := range []struct {
		is   error
		make func(string) types.Error
	}{
		{fs.ErrPermission, types.MakeErrorAccessDenied},
		{syscall.EROFS, types.MakeErrorAccessDenied},
		{syscall.EEXIST, types.MakeErrorConflict},
		{syscall.EDQUOT, types.MakeErrorLimitExceeded},
		{syscall.EFBIG, types.MakeErrorLimitExceeded},
		{syscall.ENOMEM, types.MakeErrorLimitExceeded},
		{syscall.ENOSPC, types.MakeErrorLimitExceeded},
	} {
		if errors.Is(err, known.is) {
			return &Error{known.make(err.Error())}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		return NotFound()
	}
	return Other("io", "%s", err.Error())
}
