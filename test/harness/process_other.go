//go:build !linux

package harness

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from the programs, so that the test's
// cleanup ends them.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true}
}
