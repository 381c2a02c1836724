// The questions of docs/queries.md, asked again.

package parquet_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"ulogd/test/duck"
	"ulogd/test/stacktest"
)

var (
	configuration = regexp.MustCompile("(?s)```toml\n(.*?)```")
	view          = regexp.MustCompile("(?s)```sql\n(CREATE VIEW .*?)```")
	question      = regexp.MustCompile("(?s)```sql\n([^`]*?)```\n\n```json\n(.*?)```")
)

// The page's configuration makes its files, and DuckDB gives its answers.
func TestQueriesOfThePage(t *testing.T) {
	db := duck.Build(t)
	text, err := os.ReadFile("../../../docs/queries.md")
	if err != nil {
		t.Fatal(err)
	}
	page := strings.ReplaceAll(string(text), "/var/lib/ulogd/flows", t.TempDir())
	stacktest.Run(t, configuration.FindStringSubmatch(page)[1])
	begin := view.FindStringSubmatch(page)[1]
	questions := question.FindAllStringSubmatch(page, -1)
	if len(questions) != 10 {
		t.Errorf("there are %d questions, want 10", len(questions))
	}
	for _, q := range questions {
		if got := strings.Join(db.Query(t, begin+q[1]), "\n") + "\n"; got != q[2] {
			t.Errorf("%s\nanswers\n%s\nthe page says\n%s", q[1], got, q[2])
		}
	}
}
