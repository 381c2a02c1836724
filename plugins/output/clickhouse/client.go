// Statements over HTTP, and what the server answers.

package clickhouse

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"ulogd/plugins/output/dial"
)

// A client has what all servers share.
type client struct {
	http   *http.Client
	output *clickhouse
	pass   string
}

func (o *clickhouse) newClient() (*client, error) {
	pass, err := o.pass.Read()
	if err != nil {
		return nil, err
	}
	config, err := dial.TLS(o.ca, "", "")
	if err != nil {
		return nil, err
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.DialContext = o.Dial
	transport.TLSClientConfig, transport.ResponseHeaderTimeout = config, time.Minute
	return &client{http: &http.Client{Transport: transport}, output: o, pass: pass}, nil
}

// An exception is the server's refusal of a statement.
type exception struct {
	code int
	text string
}

func (e *exception) Error() string { return e.text }

var codeIn = regexp.MustCompile(`^Code: ([0-9]+)`)

// run has a server run a statement with a body. It returns the answer.
func (c *client) run(ctx context.Context, base, statement string, body []byte, header http.Header,
	params url.Values,
) (string, error) {
	if params == nil {
		params = url.Values{}
	}
	params.Set("database", c.output.database)
	params.Set("query", statement)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/?"+params.Encode(), bytes.NewReader(body))
	if err != nil {
		return "", err
	}
	for name, list := range header {
		req.Header[name] = list
	}
	req.Header.Set("X-ClickHouse-User", c.output.user)
	req.Header.Set("X-ClickHouse-Key", c.pass)
	res, err := c.http.Do(req)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err // the whole statement would stand in the log
		}
		return "", err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return "", fmt.Errorf("read the answer: %w", err)
	}
	answer := strings.TrimSpace(string(text))
	if m := codeIn.FindStringSubmatch(answer); m != nil &&
		(res.StatusCode != http.StatusOK || res.Header.Get("X-ClickHouse-Exception-Code") != "") {
		code, _ := strconv.Atoi(m[1])
		return "", &exception{code, firstLine(answer)}
	}
	if res.StatusCode != http.StatusOK {
		return "", fmt.Errorf("HTTP status %s: %s", res.Status, firstLine(answer))
	}
	return answer, nil
}

func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line[:min(len(line), 500)]
}

// refuses reports whether the server would never take these rows, whoever sent them and whenever:
// errors of values, by ClickHouse's src/Common/ErrorCodes.cpp.
func (e *exception) refuses() bool {
	switch e.code {
	case 6, // CANNOT_PARSE_TEXT
		27,  // CANNOT_PARSE_INPUT_ASSERTION_FAILED
		33,  // CANNOT_READ_ALL_DATA
		69,  // ARGUMENT_OUT_OF_BOUND
		117, // INCORRECT_DATA
		131, // TOO_LARGE_STRING_SIZE
		321, // VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
		349, // CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN
		395, // FUNCTION_THROW_IF_VALUE_IS_NON_ZERO
		469: // VIOLATED_CONSTRAINT
		return true
	}
	return false
}
