//go:build small

// What a build for small machines says of itself.

package small

// Build reports whether this is a build for small machines.
const Build = true
