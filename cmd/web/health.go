// Health, as it is answered over HTTP.

package web

import (
	"fmt"
	"net/http"
)

// answerHealth answers those who need no token: it says what is wrong, and of no record.
func answerHealth(rw http.ResponseWriter, troubles []string) {
	rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if len(troubles) == 0 {
		fmt.Fprintln(rw, "ok")
		return
	}
	rw.WriteHeader(http.StatusServiceUnavailable)
	for _, text := range troubles {
		fmt.Fprintln(rw, text)
	}
}
