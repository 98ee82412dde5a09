package harness

import "syscall"

// ownGroup keeps a terminal's Ctrl-C from the programs, so that the test's
// cleanup ends them, and ends them with the test even when that is killed.
func ownGroup() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
