//go:build !small

// What a full build says of itself.

package small

// Build reports whether this is a build for small machines.
const Build = false
