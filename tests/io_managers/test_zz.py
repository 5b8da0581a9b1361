import dagster as dg, pytest, pyarrow as pa, datetime as dt
import polars as pl, pandas as pd
from typing import Optional, Any
from decimal import Decimal
from datafusion import DataFrame
from deltalake import DeltaTable
from dagster_dfsession import DataFusionSessionResource

ROWS = pa.table({"s":["a",None,"é"],"i":[1,2,None],"d":pa.array([Decimal("1.20"),None,Decimal("-3.99")],pa.decimal128(10,2)),
 "day":pa.array([dt.date(2026,1,1),None,dt.date(1,1,1)]), "ts": pa.array([dt.datetime(2026,1,1,1,2,3,4),None,dt.datetime(1969,1,1)],pa.timestamp("us")),
 "tz": pa.array([dt.datetime(2026,1,1,1,2,3,4),None,dt.datetime(1969,1,1)],pa.timestamp("us","UTC")),
 "l": pa.array([[1,None],None,[]],pa.list_(pa.int64())), "st": pa.array([{"a":1,"b":"x"},None,{"a":None,"b":None}]), "b":[True,None,False], "f":[1.5,None,float("nan")],
 "bin": pa.array([b"x",None,b""])})

def up_of(value):
    @dg.asset(name="up")
    def up(): return value
    return up

@pytest.mark.parametrize("ann",[DataFrame,pa.Table,pa.RecordBatchReader,pl.DataFrame,pl.LazyFrame,pd.DataFrame,DeltaTable,None, Optional[pa.Table], "pa.Table", dict, list[int], str, DataFrame|None, Any], ids=[str(i) for i in range(15)])
def test_in(run, ann):
    seen=[]
    def down(up): seen.append(up if not isinstance(up,pa.RecordBatchReader) else up.read_all()); return up if not isinstance(up,pa.RecordBatchReader) else seen[0]
    if ann is not None: down.__annotations__["up"]=ann
    a=dg.asset(down)
    run(up_of(ROWS), a)
    print(type(seen[0]))
    x=seen[0]
    t=None
    if isinstance(x,DataFrame): t=pa.table(x.to_arrow_table())
    elif isinstance(x,pa.Table): t=x
    print(t and t.schema)

class Anything:
    def __arrow_c_stream__(self, requested_schema=None): return ROWS.__arrow_c_stream__(requested_schema)

@pytest.mark.parametrize("v",[lambda:ROWS,lambda:ROWS.to_batches()[0],lambda:ROWS.to_reader(),lambda:pl.DataFrame(ROWS),lambda:pl.DataFrame(ROWS).lazy(),lambda:ROWS.to_pandas(),Anything, lambda: None, lambda:"x", lambda: pd.DataFrame({"a":[1,2,3]}).query("a>1"), lambda: pl.DataFrame({"c":pl.Series(["a","b"],dtype=pl.Categorical),"e":pl.Series(["a","b"],dtype=pl.Enum(["a","b"]))}).lazy(),
  lambda: pl.DataFrame({"t":[dt.time(1,2)]}), lambda: pl.DataFrame({"t":[None]}), lambda: pl.DataFrame({"x":[]},schema={"x":pl.Int32}), lambda: pl.DataFrame({"x":[]},schema={"x":pl.Int32}).lazy(), lambda:{"a":[1]}, lambda:[{"a":1}] ], ids=[str(i) for i in range(17)])
def test_out(run, v, lake):
    run(up_of(v()))
    t=pa.table(DeltaTable(str(lake/"up")).scan())
    print(t.schema); print(t.num_rows, t.cast(ROWS.schema).equals(ROWS) if t.num_columns==11 else t)
