//go:build !unix || solaris || aix

package client

import "os"

// Without a lock of the system's, processes that renew at once get the same
// successor from the server, and the last one to write keeps it.

func openLock(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) }

func tryLock(*os.File) (taken bool, err error) { return true, nil }
