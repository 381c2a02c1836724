// How rows of each shape are sent, found out once.

package store

import "errors"

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

// Fits reports by an error that rows of a shape were encoded for a plan that is not the one that find makes now.
func (m Plans[P]) Fits(s *Shape, find func() (*P, error), same func(was, now *P) bool) error {
	now, err := find()
	if err == nil && !same(m[s], now) {
		err = errors.New("the table has changed")
	}
	return err
}
