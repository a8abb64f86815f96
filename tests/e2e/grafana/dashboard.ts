// What Grafana takes, in the types of its own schema: enums as the plain values that stand in JSON, options and
// fields of a panel by its kind, and of Prometheus's queries what this data source reads.
import type { AnnotationQuery, Dashboard, DataSourceRef, FieldConfigSource, Panel, RowPanel, VariableModel }
  from "@grafana/schema";
import type { Options as BarGauge }
  from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type { FieldConfig as HeatmapField, Options as Heatmap }
  from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type { Options as Stat }
  from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type { FieldConfig as TableField, Options as Table }
  from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type { FieldConfig as TimeSeriesField, Options as TimeSeries }
  from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

type Plain<T> =
  T extends string ? `${T}` :
  T extends number ? (`${T}` extends `${infer N extends number}` ? N : never) :
  T extends (infer E)[] ? Plain<E>[] :
  T extends object ? { [K in keyof T]: Plain<T[K]> } : T;

interface Query {
  refId: string;
  expr: string;
  datasource: DataSourceRef;
  legendFormat: string;
  format: "time_series" | "table" | "heatmap";
  editorMode: "code" | "builder";
  instant: boolean;
  range: boolean;
}

// What every panel has.
type Shared = Omit<Panel, "type" | "options" | "fieldConfig" | "targets" | "title" | "description" | "gridPos"> &
  Required<Pick<Panel, "title" | "description" | "gridPos">>;

type Of<Kind extends string, Options, Field = Record<string, never>> = Shared & {
  type: Kind;
  options: Options;
  fieldConfig: FieldConfigSource<Partial<Field>>;
  targets: Query[];
};

// Of Prometheus's annotations; expr and step are what versions before targets read.
interface Mark extends Omit<AnnotationQuery, "target"> {
  expr: string;
  step: string;
  titleFormat: string;
  textFormat: string;
  useValueForTime: boolean;
  target: Pick<Query, "refId" | "expr" | "legendFormat"> & { interval: string };
}

interface Asked extends Omit<VariableModel, "type" | "query"> {
  type: "query";
  query: { query: string; refId: string };
}

interface Source extends Omit<VariableModel, "type" | "query"> {
  type: "datasource";
  query: "prometheus";
}

type Named = Required<Pick<Dashboard, "title" | "uid" | "schemaVersion" | "tags" | "time" | "description">>;

export type Shipped = Plain<Omit<Dashboard, "panels" | "annotations" | "templating"> & Named & {
  panels: (
    | Required<Pick<RowPanel, "title" | "gridPos">> & RowPanel
    | Of<"timeseries", TimeSeries, TimeSeriesField>
    | Of<"stat", Stat>
    | Of<"bargauge", BarGauge>
    | Of<"heatmap", Heatmap, HeatmapField>
    | Of<"table", Table, TableField>
  )[];
  annotations: { list: Mark[] };
  templating: { list: (Asked | Source)[] };
}>;
