package natsd

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// aio is the kernel's asynchronous input and output (io_submit(2)), for the one
// request that matters here: fdatasync. A system call that blocks keeps a processor
// of Go's scheduler until that notices; with the next group gathering meanwhile that
// is time taken from whom it is made of. docs/decisions/0003 has the figures.
//
// io_uring could do the same, but container engines forbid it by default.
type aio struct {
	context uintptr  // aio_context_t
	done    *os.File // an eventfd, which Go's poller waits for
	doneFD  uint32
}

// iocb is struct iocb of linux/aio_abi.h. What has no name here stays 0.
type iocb struct {
	_             uint64 // aio_data
	_, _          uint32 // aio_key, aio_rw_flags
	opcode        uint16
	_             int16 // aio_reqprio
	fd            uint32
	_, _          uint64 // aio_buf, aio_nbytes
	_             int64  // aio_offset
	_             uint64 // aio_reserved2
	flags, doneFD uint32
}

// ioEvent is struct io_event.
type ioEvent struct {
	_, _ uint64 // data, obj
	res  int64
	_    int64 // res2
}

// Of linux/aio_abi.h.
const (
	iocbFDSync   = 3 // IOCB_CMD_FDSYNC
	iocbFlagDone = 1 // IOCB_FLAG_RESFD
)

// newAIO returns an error where the kernel or a sandbox has none.
func newAIO() (*aio, error) {
	a := &aio{}
	if _, _, errno := syscall.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&a.context)), 0); errno != 0 {
		return nil, os.NewSyscallError("io_setup", errno)
	}
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		a.close()
		return nil, os.NewSyscallError("eventfd", err)
	}
	a.done, a.doneFD = os.NewFile(uintptr(fd), "eventfd"), uint32(fd)
	return a, nil
}

// begin has the kernel begin to make a file's bytes and size durable. After an error
// it has not. The next call must be end.
func (a *aio) begin(f *os.File) error {
	request := &iocb{opcode: iocbFDSync, fd: uint32(f.Fd()), flags: iocbFlagDone, doneFD: a.doneFD}
	_, _, errno := syscall.Syscall(unix.SYS_IO_SUBMIT, a.context, 1, uintptr(unsafe.Pointer(&request)))
	runtime.KeepAlive(request)
	if errno != 0 {
		return os.NewSyscallError("io_submit", errno)
	}
	return nil
}

// end returns once what was begun has ended, with what came of it.
func (a *aio) end() error {
	var count [8]byte
	if _, err := a.done.Read(count[:]); err != nil {
		return err
	}
	var event ioEvent
	n, _, errno := syscall.Syscall6(unix.SYS_IO_GETEVENTS, a.context, 1, 1, uintptr(unsafe.Pointer(&event)), 0, 0)
	switch {
	case errno != 0:
		return os.NewSyscallError("io_getevents", errno)
	case n != 1:
		return fmt.Errorf("io_getevents: %d events", n)
	case event.res < 0:
		return os.NewSyscallError("fdatasync", syscall.Errno(-event.res))
	}
	return nil
}

func (a *aio) close() {
	_, _, _ = syscall.Syscall(unix.SYS_IO_DESTROY, a.context, 0, 0) // nothing is under way
	if a.done != nil {
		_ = a.done.Close()
	}
}
