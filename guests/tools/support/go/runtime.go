// Package wit_runtime has what the generated bindings need at run time.
//
// The host asks for memory for what it returns by calling cabi_realloc in the middle of a call to it. Nothing that is
// imported may be called until it has the memory, but Go's collector, which any allocation can start, calls WASI to tell
// the time and to wait. So cabi_realloc takes from memory that was set aside before the call, and allocates nothing.
package wit_runtime

import (
	"runtime"
	"unsafe"
)

const (
	// What one call can return at most and still comes out of what is set aside: a chunk of a value and a little.
	enough = 1<<20 + 1<<16
	// How much is set aside at once.
	blockSize = 2 * enough
	// How much is taken from the system at once where that was not enough.
	grownSize = 1 << 16
)

// A block is what values that the host returned point into, which keeps it alive; when it is used up, it is left to them.
var block []byte

// What is free of the block, and of what was taken from the system. They are no pointers, so that assigning them is no
// matter for the collector.
var blockNext, blockEnd, grownNext, grownEnd uintptr

//go:linkname sbrk runtime.sbrk
func sbrk(size uintptr) unsafe.Pointer

//go:wasmexport cabi_realloc
func cabiRealloc(old unsafe.Pointer, oldSize, align, size uintptr) unsafe.Pointer {
	start := aligned(blockNext, align)
	if start+size <= blockEnd {
		blockNext = start + size
	} else {
		// Before the Go runtime has begun there is no block, and what begins it asks for memory too. What is taken here is
		// never given back, as nothing tells when it could be.
		start = aligned(grownNext, align)
		if start+size > grownEnd {
			wanted := max(size+align, grownSize)
			grownNext = uintptr(sbrk(wanted))
			grownEnd = grownNext + wanted
			start = aligned(grownNext, align)
		}
		grownNext = start + size
	}
	pointer := unsafe.Pointer(start)
	if oldSize > 0 {
		copy(unsafe.Slice((*byte)(pointer), size), unsafe.Slice((*byte)(old), oldSize))
	}
	return pointer
}

func aligned(address, align uintptr) uintptr { return (address + align - 1) &^ (align - 1) }

// Allocate gives memory that stays where it is while it is pinned. The bindings call it before they call the host, which
// is when memory can be set aside for what the host returns.
func Allocate(pinner *runtime.Pinner, size, align uintptr) unsafe.Pointer {
	if blockEnd-blockNext < enough {
		block = make([]byte, blockSize)
		blockNext = uintptr(unsafe.Pointer(unsafe.SliceData(block)))
		blockEnd = blockNext + blockSize
	}
	if size == 0 {
		return nil
	}
	// Memory of 8 bytes each is aligned for all that the contract has.
	pointer := unsafe.Pointer(unsafe.SliceData(make([]uint64, (size+7)/8)))
	pinner.Pin(pointer)
	return pointer
}

// Handle is a resource of the host, until it is taken or given back.
type Handle struct{ value int32 }

func MakeHandle(value int32) *Handle { return &Handle{value} }

// Use is the handle, which must be there still.
func (handle *Handle) Use() int32 {
	if handle.value == 0 {
		panic("this was given back to the host already")
	}
	return handle.value
}

func (handle *Handle) Take() int32 {
	value := handle.Use()
	handle.value = 0
	return value
}

func (handle *Handle) TakeOrNil() int32 {
	value := handle.value
	handle.value = 0
	return value
}

func (handle *Handle) Set(value int32) {
	if handle.value != 0 {
		panic("there is a handle already")
	}
	handle.value = value
}
