//go:build small

// Compressors are left out of a build for small machines; settings that ask for them are refused.

package ipfix

func packer(string) func(to, p []byte) []byte { return nil }
