// Evaluates PromQL with Prometheus' own engine over series in Prometheus' own notation.
package alerts

import (
	"context"
	"encoding/json"
	"os"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
)

type question struct {
	Load string `json:"load"`
	Expr string `json:"expr"`
	At   int64  `json:"at"`
}

// TestQuestions reads questions from the file ALERT_QUESTIONS and writes to ALERT_ANSWERS how many
// series each expression has at its moment (seconds).
func TestQuestions(t *testing.T) {
	text, err := os.ReadFile(os.Getenv("ALERT_QUESTIONS"))
	if err != nil {
		t.Fatal(err)
	}
	var questions []question
	if err := json.Unmarshal(text, &questions); err != nil {
		t.Fatal(err)
	}
	answers := make([]int, len(questions))
	engine := promqltest.NewTestEngine(t, false, 0, 1000000)
	for i, q := range questions {
		storage := promqltest.LoadedStorage(t, q.Load)
		query, err := engine.NewInstantQuery(context.Background(), storage, nil, q.Expr, time.Unix(q.At, 0))
		if err != nil {
			t.Fatal(q.Expr, err)
		}
		result := query.Exec(context.Background())
		if result.Err != nil {
			t.Fatal(q.Expr, result.Err)
		}
		answers[i] = len(result.Value.(promql.Vector))
	}
	written, err := json.Marshal(answers)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(os.Getenv("ALERT_ANSWERS"), written, 0o600); err != nil {
		t.Fatal(err)
	}
}
