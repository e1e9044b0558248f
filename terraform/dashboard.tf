# The flow from source to warehouse, left to right and top to bottom.

locals {
  dashboard_name = var.name_prefix
  stages         = ["ingest", "transform", "load"]

  alarms = concat(
    flatten([for stage in local.stages : local.functions[stage].alarm_arns]),
    [
      aws_cloudwatch_metric_alarm.undelivered.arn,
      aws_cloudwatch_metric_alarm.freshness.arn,
      aws_cloudwatch_metric_alarm.quarantine.arn,
      aws_cloudwatch_metric_alarm.cursor_age.arn,
    ],
  )

  # The 24 columns of a row are divided by the widgets in it; y follows from the rows before.
  dashboard_rows = [
    {
      height = 3
      widgets = [{
        type = "text"
        properties = {
          markdown = join("\n", [
            "# ${var.name_prefix}: source → ingest → transform → load → warehouse",
            "Freshness is the age of what the warehouse knows: alarm at ${var.freshness_alarm_seconds / 60} minutes, promise 5 later. What to do: [runbook](${var.runbook_url}). ",
            "Buckets: `${module.ingestion.name}`, `${module.processed.name}`.",
          ])
        }
      }]
    },
    {
      height = 3
      widgets = [{
        type       = "alarm"
        properties = { title = "Alarms", alarms = local.alarms }
      }]
    },
    {
      height = 6
      widgets = [
        {
          type = "metric"
          properties = {
            title   = "Freshness of the warehouse (s)"
            region  = local.region
            view    = "timeSeries"
            stat    = "Maximum"
            period  = 300
            metrics = [["Starling", "Freshness", "Pipeline", var.name_prefix, { label = "Freshness" }]]
            yAxis   = { left = { min = 0, label = "seconds", showUnits = false } }
            annotations = {
              horizontal = [
                { label = "alarm", value = var.freshness_alarm_seconds, color = "#ff7f0e" },
                { label = "promise", value = var.freshness_alarm_seconds + 300, color = "#d62728" },
              ]
            }
          }
        },
        {
          type = "metric"
          properties = {
            title  = "Batches pending"
            region = local.region
            view   = "timeSeries"
            stat   = "Maximum"
            period = 300
            metrics = [
              for stage in ["transform", "load"] :
              ["Starling", "BatchesPending", "Pipeline", var.name_prefix, "Stage", stage, { label = stage }]
            ]
            yAxis = { left = { min = 0, showUnits = false } }
          }
        },
        {
          type = "metric"
          properties = {
            title  = "Rows in quarantine"
            region = local.region
            view   = "timeSeries"
            period = 300
            metrics = [
              ["Starling", "QuarantinedRows", "Pipeline", var.name_prefix, { label = "waiting", stat = "Maximum" }],
              ["Starling", "NewQuarantinedRows", "Pipeline", var.name_prefix, "Stage", "load", { label = "new", stat = "Sum" }],
            ]
            yAxis = { left = { min = 0, showUnits = false } }
          }
        },
        {
          type = "metric"
          properties = {
            title   = "Age of the oldest transaction that holds the cursor back (s)"
            region  = local.region
            view    = "timeSeries"
            stat    = "Maximum"
            period  = 900
            metrics = [["Starling", "CursorAge", "Pipeline", var.name_prefix, { label = "CursorAge" }]]
            yAxis   = { left = { min = 0, label = "seconds", showUnits = false } }
            annotations = {
              horizontal = [{ label = "alarm", value = 3600, color = "#ff7f0e" }]
            }
          }
        },
      ]
    },
    {
      height = 7
      widgets = [for stage in local.stages : {
        type = "metric"
        properties = {
          title   = "${stage}: rows a table"
          region  = local.region
          view    = "timeSeries"
          stacked = true
          metrics = [[{
            expression = "SEARCH('{Starling,Pipeline,Stage,Table} MetricName=\"Rows\" Pipeline=\"${var.name_prefix}\" Stage=\"${stage}\"', 'Sum', 900)"
            label      = "$${PROP('Dim.Table')}"
          }]]
          yAxis = { left = { min = 0, showUnits = false } }
        }
      }]
    },
    {
      height = 6
      widgets = [
        {
          type = "metric"
          properties = {
            title  = "Duration of a batch (s)"
            region = local.region
            view   = "timeSeries"
            stat   = "Maximum"
            period = 300
            metrics = [
              for stage in local.stages :
              ["Starling", "Duration", "Pipeline", var.name_prefix, "Stage", stage, { label = stage }]
            ]
            yAxis = { left = { min = 0, label = "seconds", showUnits = false } }
          }
        },
        {
          type = "metric"
          properties = {
            title  = "Duration of an invocation (ms)"
            region = local.region
            view   = "timeSeries"
            stat   = "Maximum"
            period = 300
            metrics = [
              for stage in local.stages :
              ["AWS/Lambda", "Duration", "FunctionName", local.functions[stage].function_name, { label = stage }]
            ]
            yAxis = { left = { min = 0, showUnits = false } }
            annotations = {
              horizontal = [for stage in local.stages : {
                label = "${stage}: alarm"
                value = var.timeout_seconds[stage] * 800
                color = "#ff7f0e"
              }]
            }
          }
        },
        {
          type = "metric"
          properties = {
            title  = "Bytes of the lake, a stage"
            region = local.region
            view   = "timeSeries"
            metrics = [
              for stage in ["ingest", "transform"] : [{
                expression = "SUM(SEARCH('{Starling,Pipeline,Stage,Table} MetricName=\"Bytes\" Pipeline=\"${var.name_prefix}\" Stage=\"${stage}\"', 'Sum', 900))"
                label      = stage
              }]
            ]
            yAxis = { left = { min = 0, showUnits = false } }
          }
        },
      ]
    },
    {
      height = 6
      widgets = [
        {
          type = "metric"
          properties = {
            title  = "Errors and time-outs"
            region = local.region
            view   = "timeSeries"
            stat   = "Sum"
            period = 300
            metrics = concat(
              [for stage in local.stages : ["AWS/Lambda", "Errors", "FunctionName", local.functions[stage].function_name, { label = stage }]],
              [for stage in local.stages : ["AWS/Lambda", "Throttles", "FunctionName", local.functions[stage].function_name, { label = "${stage}: throttled" }]],
            )
            yAxis = { left = { min = 0, showUnits = false } }
          }
        },
        {
          type = "metric"
          properties = {
            title  = "Invocations"
            region = local.region
            view   = "timeSeries"
            stat   = "Sum"
            period = 300
            metrics = [
              for stage in local.stages :
              ["AWS/Lambda", "Invocations", "FunctionName", local.functions[stage].function_name, { label = stage }]
            ]
            yAxis = { left = { min = 0, showUnits = false } }
          }
        },
        {
          type = "metric"
          properties = {
            title  = "Ranges of large batches"
            region = local.region
            view   = "timeSeries"
            stat   = "Maximum"
            period = 300
            metrics = concat(
              [for stage in local.stages : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", local.functions[stage].range_queue_names.ranges, { label = "${stage}: waiting" }]],
              [for stage in local.stages : ["AWS/SQS", "ApproximateNumberOfMessagesNotVisible", "QueueName", local.functions[stage].range_queue_names.ranges, { label = "${stage}: in work" }]],
              [for stage in local.stages : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", local.functions[stage].range_queue_names.dead_letters, { label = "${stage}: given up" }]],
            )
            yAxis = { left = { min = 0, showUnits = false } }
          }
        },
        {
          type = "metric"
          properties = {
            title  = "Undelivered wake-ups"
            region = local.region
            view   = "timeSeries"
            stat   = "Maximum"
            period = 300
            metrics = [
              ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.undelivered.name, { label = "functions" }],
              ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", aws_sqs_queue.schedule_dead_letters.name, { label = "schedules" }],
            ]
            yAxis = { left = { min = 0, showUnits = false } }
          }
        },
      ]
    },
    {
      height = 8
      widgets = [{
        type = "log"
        properties = {
          title  = "What went wrong"
          region = local.region
          view   = "table"
          query = join(" | ", concat(
            [for stage in local.stages : "SOURCE '${local.functions[stage].log_group_name}'"],
            [
              "fields @timestamp, stage, batch, table, message",
              "filter level in [\"ERROR\", \"CRITICAL\"] or @message like /Task timed out|Runtime exited/",
              "sort @timestamp desc",
              "limit 50",
            ],
          ))
        }
      }]
    },
  ]

  dashboard_widgets = flatten([
    for number, row in local.dashboard_rows : [
      for column, widget in row.widgets : {
        type       = widget.type
        x          = column * 24 / length(row.widgets)
        y          = sum(concat([0], [for above in slice(local.dashboard_rows, 0, number) : above.height]))
        width      = 24 / length(row.widgets)
        height     = row.height
        properties = widget.properties
      }
    ]
  ])
}

resource "aws_cloudwatch_dashboard" "starling" {
  dashboard_name = local.dashboard_name
  dashboard_body = jsonencode({ widgets = local.dashboard_widgets })
}
