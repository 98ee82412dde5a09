package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math/bits"
	"unsafe"

	"github.com/FastFilter/xorfilter"
)

// makeFilter returns a filter of some keys, at least one, and what loadFilter reads.
func makeFilter[T xorfilter.Unsigned](keys []uint64) (*xorfilter.BinaryFuse[T], []byte, error) {
	f, err := xorfilter.NewBinaryFuse[T](keys)
	if err != nil {
		return nil, nil, err
	}
	var saved bytes.Buffer
	if err := f.Save(&saved); err != nil {
		return nil, nil, err
	}
	return f, saved.Bytes(), nil
}

// loadFilter reads a filter that makeFilter made. The library believes what it reads: of
// a damaged one it would take any amount of memory, or be out of bounds when asked.
func loadFilter[T xorfilter.Unsigned](b []byte) (*xorfilter.BinaryFuse[T], error) {
	const header = 28 // its last four bytes: how many fingerprints follow
	if len(b) < header || uint64(len(b)-header) != uint64(binary.LittleEndian.Uint32(b[header-4:]))*uint64(unsafe.Sizeof(T(0))) {
		return nil, errors.New("it is not as long as it says")
	}
	f, err := xorfilter.LoadBinaryFuse[T](bytes.NewReader(b))
	if err != nil {
		return nil, err
	}
	length, counted := uint64(f.SegmentLength), uint64(f.SegmentCountLength)
	if bits.OnesCount64(length) != 1 || f.SegmentLengthMask != f.SegmentLength-1 ||
		counted != uint64(f.SegmentCount)*length || counted+2*length != uint64(len(f.Fingerprints)) {
		return nil, errors.New("its parts do not fit each other")
	}
	return f, nil
}
