// The documentation: its links lead somewhere, and the README stays short enough to be read.

package house

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

const root = "../.."

// pages are the documents that people read.
func pages(t *testing.T) []string {
	t.Helper()
	var list []string
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/*/*.md"} {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, found...)
	}
	if len(list) < 10 {
		t.Fatalf("only %d pages found", len(list))
	}
	return list
}

func page(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestREADMEIsShort(t *testing.T) {
	if n := strings.Count(page(t, root+"/README.md"), "\n"); n > 120 {
		t.Errorf("README.md has %d lines, at most 120 are wanted: the rest belongs to docs/", n)
	}
}

// TestDocsAreNarrow holds text to a hundred columns; tables, code and pictures are as wide as they are.
func TestDocsAreNarrow(t *testing.T) {
	pages, err := filepath.Glob(root + "/docs/*.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range append(pages, root+"/README.md", root+"/CONTRIBUTING.md") {
		fenced := false
		for i, line := range strings.Split(page(t, path), "\n") {
			if strings.HasPrefix(line, "```") {
				fenced = !fenced
			}
			wide := fenced || strings.HasPrefix(strings.TrimLeft(line, " "), "|") || strings.HasPrefix(line, "    ") ||
				strings.HasPrefix(line, "![")
			if n := utf8.RuneCountInString(line); n > 100 && !wide {
				t.Errorf("%s:%d: %d columns", path, i+1, n)
			}
		}
	}
}

var (
	code    = regexp.MustCompile("(?s)\n```.*?\n```")
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.*)$`)
	noWord  = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
)

// TestLinks follows every link of every page that leads to a file here, and to a heading in it.
func TestLinks(t *testing.T) {
	followed := 0
	for _, from := range pages(t) {
		for _, m := range link.FindAllStringSubmatch(code.ReplaceAllString(page(t, from), ""), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			followed++
			path, anchor, _ := strings.Cut(m[1], "#")
			to := from
			if path != "" {
				to = filepath.Join(filepath.Dir(from), path)
			}
			if _, err := os.Stat(to); err != nil {
				t.Errorf("%s: the link %s leads nowhere", from, m[1])
			} else if anchor != "" && !anchors(page(t, to))[anchor] {
				t.Errorf("%s: %s has no heading #%s", from, to, anchor)
			}
		}
	}
	if followed < 20 {
		t.Errorf("only %d links were followed", followed)
	}
}

// anchors are the headings of a page, and places that it names itself, as links name them.
func anchors(text string) map[string]bool {
	set := map[string]bool{}
	for _, h := range heading.FindAllStringSubmatch(code.ReplaceAllString(text, ""), -1) {
		plain := noWord.ReplaceAllString(strings.ToLower(strings.ReplaceAll(h[1], `\`, "")), "")
		set[strings.ReplaceAll(plain, " ", "-")] = true
	}
	for _, id := range regexp.MustCompile(`<a (?:id|name)="([^"]+)"`).FindAllStringSubmatch(text, -1) {
		set[id[1]] = true
	}
	return set
}

// TestEveryAnswerIsOneFolder holds the table in which a newcomer looks for the place of a thing.
func TestEveryAnswerIsOneFolder(t *testing.T) {
	_, table, _ := strings.Cut(page(t, root+"/docs/architecture.md"), "| question | folder |\n|---|---|\n")
	answers := 0
	for line := range strings.Lines(table) {
		m := regexp.MustCompile("^\\| [^|]+\\? \\| `([a-z0-9/]+)` \\|\n$").FindStringSubmatch(line)
		if m == nil {
			t.Errorf("not a question and a folder: %s", line)
			continue
		}
		answers++
		if st, err := os.Stat(filepath.Join(root, m[1])); err != nil || !st.IsDir() {
			t.Errorf("%s is no folder", m[1])
		}
	}
	if answers < 20 {
		t.Errorf("%d answers, twenty are wanted", answers)
	}
}
