// How rows of each shape are sent, found out once.

package store

// Plans are what a connection has found out about shapes, such as statements and types of columns.
type Plans[P any] map[*Shape]*P

// Of returns the plan for a shape; find makes it the first time, and again after an error.
func (m Plans[P]) Of(s *Shape, find func() (*P, error)) (*P, error) {
	if p := m[s]; p != nil {
		return p, nil
	}
	p, err := find()
	if err == nil {
		m[s] = p
	}
	return p, err
}
