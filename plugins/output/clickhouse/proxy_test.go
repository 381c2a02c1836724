package clickhouse_test

import (
	"fmt"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
)

// newProxy starts what stands for a second server: it hands everything to the first, with another
// database.
func newProxy(t *testing.T, port int, db string) string {
	to, err := url.Parse(fmt.Sprintf("http://127.0.0.1:%d", port))
	if err != nil {
		t.Fatal(err)
	}
	s := httptest.NewServer(&httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		q := r.Out.URL.Query()
		was := q.Get("database")
		q.Set("database", db)
		q.Set("query", strings.ReplaceAll(q.Get("query"), "'"+was+"'", "'"+db+"'"))
		r.Out.URL.RawQuery = q.Encode()
	}})
	t.Cleanup(s.Close)
	return s.URL
}
