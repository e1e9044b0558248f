# Only with var.vpc: functions in private subnets reach AWS' services through endpoints in the VPC.
# The databases are the VPC's own affair: their groups have to admit var.vpc.security_group_ids.

locals {
  own_endpoints = var.vpc == null ? false : !var.vpc.has_endpoints

  # KMS is not among them: S3, SNS and Secrets Manager call it for us. Logs, and messages to a function, are carried by Lambda.
  interface_endpoints = local.own_endpoints ? toset(["secretsmanager", "sns", "sqs", "monitoring"]) : toset([])

  function_security_groups = var.vpc == null ? [] : setunion(var.vpc.security_group_ids, aws_security_group.functions[*].id)
}

resource "aws_vpc_endpoint" "s3" {
  count = local.own_endpoints ? 1 : 0

  vpc_id            = var.vpc.id
  service_name      = "com.amazonaws.${local.region}.s3"
  vpc_endpoint_type = "Gateway"
  route_table_ids   = var.vpc.route_table_ids
  tags              = { Name = "${var.name_prefix}-s3" }

  # Its policy is the default one: the route tables may serve others, whose buckets we do not know. Roles and bucket policies bound the stages.
}

resource "aws_vpc_endpoint" "interface" {
  for_each = local.interface_endpoints

  vpc_id              = var.vpc.id
  service_name        = "com.amazonaws.${local.region}.${each.key}"
  vpc_endpoint_type   = "Interface"
  subnet_ids          = var.vpc.subnet_ids
  security_group_ids  = aws_security_group.endpoints[*].id
  private_dns_enabled = true # the SDK's usual names lead to it
  tags                = { Name = "${var.name_prefix}-${each.key}" }
}

resource "aws_security_group" "functions" {
  count = local.own_endpoints ? 1 : 0

  name        = "${var.name_prefix}-functions"
  description = "Stages of ${var.name_prefix}: to AWS services only"
  vpc_id      = var.vpc.id
  tags        = { Name = "${var.name_prefix}-functions" }
}

resource "aws_security_group" "endpoints" {
  count = local.own_endpoints ? 1 : 0

  name        = "${var.name_prefix}-endpoints"
  description = "Endpoints of AWS services, for the stages of ${var.name_prefix}"
  vpc_id      = var.vpc.id
  tags        = { Name = "${var.name_prefix}-endpoints" }
}

# Rules without descriptions, which moto would not read back; their names and groups say enough.

# Secrets Manager, SNS, SQS and CloudWatch.
resource "aws_vpc_security_group_egress_rule" "functions_to_endpoints" {
  count = local.own_endpoints ? 1 : 0

  security_group_id            = aws_security_group.functions[0].id
  referenced_security_group_id = aws_security_group.endpoints[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_egress_rule" "functions_to_s3" {
  count = local.own_endpoints ? 1 : 0

  security_group_id = aws_security_group.functions[0].id
  prefix_list_id    = aws_vpc_endpoint.s3[0].prefix_list_id
  ip_protocol       = "tcp"
  from_port         = 443
  to_port           = 443
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_from_functions" {
  count = local.own_endpoints ? 1 : 0

  security_group_id            = aws_security_group.endpoints[0].id
  referenced_security_group_id = aws_security_group.functions[0].id
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}

resource "aws_vpc_security_group_ingress_rule" "endpoints_from_others" {
  for_each = local.own_endpoints ? var.vpc.endpoint_client_security_group_ids : toset([])

  security_group_id            = aws_security_group.endpoints[0].id
  referenced_security_group_id = each.value
  ip_protocol                  = "tcp"
  from_port                    = 443
  to_port                      = 443
}
