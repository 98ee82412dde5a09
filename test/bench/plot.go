package main

import "github.com/go-analyze/charts"

// plot is figures to be seen: lines over categories, or bars where they are not
// steps of one quantity.
type plot struct {
	Name       string   `json:"name"` // of the file
	Title      string   `json:"title"`
	Bars       bool     `json:"bars,omitempty"`
	Categories []string `json:"categories"`
	Series     []series `json:"series"`
}

type series struct {
	Name   string    `json:"name"`
	Values []float64 `json:"values"`
}

// path returns where the plot is, below the folder of the documents.
func (p *plot) path() string { return "benchmarks/" + p.Name + ".svg" }

func (p *plot) svg() ([]byte, error) {
	var names []string
	var values [][]float64
	for _, s := range p.Series {
		names = append(names, s.Name)
		values = append(values, s.Values)
	}
	painter := charts.NewPainter(charts.PainterOptions{OutputFormat: charts.ChartOutputSVG, Width: 800, Height: 400, Theme: charts.GetTheme(charts.ThemeLight)})
	if err := p.draw(painter, names, values); err != nil {
		return nil, err
	}
	return painter.Bytes()
}

func (p *plot) draw(painter *charts.Painter, names []string, values [][]float64) error {
	title := charts.TitleOption{Text: p.Title}
	legend := charts.LegendOption{SeriesNames: names, Offset: charts.OffsetStr{Top: "24"}}
	zero := []charts.YAxisOption{{Min: charts.Ptr(0.0)}}
	if p.Bars {
		o := charts.NewBarChartOptionWithData(values)
		o.Title, o.Legend, o.ValueAxis = title, legend, zero
		o.CategoryAxis.Labels = p.Categories
		o.Horizontal = len(p.Categories) > 10 // long names need lines of their own
		return painter.BarChart(o)
	}
	o := charts.NewLineChartOptionWithData(values)
	o.Title, o.Legend, o.YAxis = title, legend, zero
	o.XAxis.Labels = p.Categories
	return painter.LineChart(o)
}
