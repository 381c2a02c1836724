//go:build !small

// Writing all manuals into files.

package cmd

import (
	"errors"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"ulogd/engine"
)

// houseCommands are those that nobody but `go generate` calls.
func houseCommands(o *options) []*cobra.Command {
	c := &cobra.Command{
		Use:    "manuals",
		Short:  "write the manuals of all plugins and the man pages into a directory",
		Hidden: true,
	}
	does(c, o, "DIRECTORY", func(o *options, _, stderr io.Writer) int {
		return report(writeManuals(o.words[0], &engine.Default), stderr)
	})
	return []*cobra.Command{c}
}

// writeManuals writes plugins/NAME.md and man/* below a directory. Pages of plugins that are gone are removed.
func writeManuals(dir string, reg *engine.Registry) error {
	err := writeAll(filepath.Join(dir, "plugins"), pages(reg))
	return errors.Join(err, writeAll(filepath.Join(dir, "man"), map[string][]byte{
		"ulogd.8":      commandPage(),
		"ulogd.conf.5": configPage(reg),
	}))
}

func writeAll(dir string, files map[string][]byte) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	old, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range old {
		if files[e.Name()] == nil {
			if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
