// A small disk, for tests of full ones.

package nstest

import (
	"fmt"
	"runtime"
	"syscall"
	"testing"
)

// Disk mounts a file system of the given size at dir, for the whole process, until the test ends. It
// needs root. resize gives it another size.
func Disk(t *testing.T, dir string, size int) (resize func(size int)) {
	t.Helper()
	Need(t, "root")
	mount := func(size int, flags uintptr) {
		t.Helper()
		if err := mountTmpfs(dir, size, flags); err != nil {
			t.Fatalf("mount: %v", err)
		}
	}
	mount(size, 0)
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return func(size int) { mount(size, syscall.MS_REMOUNT) }
}

func mountTmpfs(dir string, size int, flags uintptr) error {
	return syscall.Mount("tmpfs", dir, "tmpfs", flags, fmt.Sprintf("size=%d,mode=0755", size)) // as the directory was
}

// SmallDisk runs f on a thread with a mount namespace of its own, in which dir is a file system of
// the given size. Only that thread sees it: f must not fail the test with Fatal, nor start
// goroutines that use the files. It needs root.
func SmallDisk(t *testing.T, size int, f func(dir string)) {
	Need(t, "root")
	dir := t.TempDir()
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread ends with its namespace
		if err := syscall.Unshare(syscall.CLONE_NEWNS); err != nil {
			t.Errorf("unshare: %v", err)
			return
		}
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			t.Errorf("make mounts private: %v", err)
			return
		}
		if err := mountTmpfs(dir, size, 0); err != nil {
			t.Errorf("mount: %v", err)
			return
		}
		f(dir)
	}()
	<-done
}
