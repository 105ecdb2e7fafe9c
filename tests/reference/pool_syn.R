# Partial rule for k = n by mice: Rscript pool_syn.R > pool_syn.csv   (R 4.2.2, mice 3.15.0)
# Columns: case, q and v (m numbers, separated by spaces), then pool.scalar.syn's qbar, t and df.
suppressMessages(library(mice))
cases <- list(
  five = list(q = c(0.21, 0.35, 0.17, 0.29, 0.26), v = c(0.012, 0.011, 0.014, 0.013, 0.010)),
  ten = list(q = c(-1.10, -0.94, -1.31, -0.72, -1.05, -0.88, -1.20, -1.01, -0.97, -1.15), v = seq(0.020, 0.029, by = 0.001)),
  far_apart = list(q = c(-2, 0, 2), v = c(0.01, 0.02, 0.03)),
  two = list(q = c(1, 1.5), v = c(4, 5))
)
cat("case,q,v,qbar,t,df\n")
for (name in names(cases)) {
  case <- cases[[name]]
  pooled <- pool.scalar.syn(case$q, case$v)
  cat(sprintf("%s,%s,%s,%.15g,%.15g,%.15g\n", name, paste(case$q, collapse = " "), paste(case$v, collapse = " "), pooled$qbar, pooled$t, pooled$df))
}
