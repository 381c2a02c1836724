// Who talks most within a window: a stream of answers, one when each window is over.

package page

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"ulogd/engine/question"
)

// meterShare is the part of a processor that looks at what flows have gained take: one in so many.
const meterShare = 200

// talkersTime is how long who looks on may take to take an answer.
const talkersTime = 10 * time.Second

// talkers streams what was sent within windows, as server-sent events: words of a filter, and window.
func (p *Page) talkers(rw http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	q, err := question.ParseTop(append(strings.Fields(v.Get("words")), "window="+v.Get("window")))
	if err == nil && q.Window == 0 {
		err = errors.New("window: give the time that is counted over")
	}
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	control, begun := http.NewResponseController(rw), false
	send := func(text string) error {
		if !begun {
			begun = true
			rw.Header().Set("Content-Type", "text/event-stream")
		}
		control.SetWriteDeadline(time.Now().Add(talkersTime))
		if _, err := fmt.Fprint(rw, text); err != nil {
			return err
		}
		return control.Flush()
	}
	err = p.meter.WatchAll(r.Context(), topsOf(*q), func(all []question.Result) error {
		answer := talkers(all)
		answer["at"], answer["seconds"], answer["unable"] = all[0].At, all[0].Took.Seconds(), all[0].Unable
		text, err := json.Marshal(answer)
		if err != nil {
			return err
		}
		return send(fmt.Sprintf("event: talkers\ndata: %s\n\n", text))
	})
	if !begun && err != nil && r.Context().Err() == nil {
		http.Error(rw, err.Error(), http.StatusServiceUnavailable)
	}
}
